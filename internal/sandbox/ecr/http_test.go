package ecr

import (
	"testing"
)

func TestParseRegistryPath(t *testing.T) {
	for path, want := range map[string]registryRequest{
		"/v2/":                             {kind: "ping"},
		"/v2":                              {kind: "ping"},
		"/v2/_catalog":                     {kind: "catalog"},
		"/v2/a/manifests/latest":           {"a", "manifest", "latest"},
		"/v2/a/b/manifests/sha256:0":       {"a/b", "manifest", "sha256:0"},
		"/v2/a/blobs/sha256:0":             {"a", "blob", "sha256:0"},
		"/v2/a/blobs/uploads/":             {"a", "upload", ""},
		"/v2/a/blobs/uploads":              {"a", "upload", ""},
		"/v2/a/blobs/uploads/1-2":          {"a", "upload", ""},
		"/v2/a/tags/list":                  {"a", "tags", "list"},
		"/v2/a/referrers/sha256:0":         {"a", "referrers", "sha256:0"},
		"/v2/blobs/manifests/manifests/v1": {"blobs/manifests", "manifest", "v1"},
	} {
		if got, ok := parseRegistryPath(path); !ok || got != want {
			t.Errorf("%s is %+v", path, got)
		}
	}
	if got, ok := parseRegistryPath("/v2/a"); ok {
		t.Errorf("/v2/a is %+v", got)
	}
}
