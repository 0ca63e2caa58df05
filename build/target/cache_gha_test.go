package target_test

import (
	"maps"
	"testing"

	"slipway/build/target"
)

// TestGitHubCacheLogin reads the variables as buildctl does (cmd/buildctl/build/util.go in
// BuildKit).
func TestGitHubCacheLogin(t *testing.T) {
	type attrs = map[string]string
	runner := attrs{"ACTIONS_RUNTIME_TOKEN": "hush", "ACTIONS_RESULTS_URL": "https://results/"}
	for name, x := range map[string]struct {
		cache  target.Cache
		extra  attrs
		want   attrs
		nobody bool
	}{
		"results":     {cache: target.Cache{Type: "gha"}, want: attrs{"token": "hush", "url": "https://results/"}},
		"cache url":   {cache: target.Cache{Type: "gha"}, extra: attrs{"ACTIONS_CACHE_URL": "https://cache/"}, want: attrs{"token": "hush", "url": "https://cache/"}},
		"second":      {cache: target.Cache{Type: "gha"}, extra: attrs{"ACTIONS_CACHE_SERVICE_V2": "True"}, want: attrs{"token": "hush", "url": "https://results/", "url_v2": "https://results/", "version": "2"}},
		"named":       {cache: target.Cache{Type: "gha", Attrs: attrs{"version": "2"}}, want: attrs{"token": "hush", "url": "https://results/", "url_v2": "https://results/", "version": "2"}},
		"first named": {cache: target.Cache{Type: "gha", Attrs: attrs{"version": "1"}}, extra: attrs{"ACTIONS_CACHE_SERVICE_V2": "1"}, want: attrs{"token": "hush", "url": "https://results/"}},
		"own token":   {cache: target.Cache{Type: "gha", Attrs: attrs{"token": "mine"}}},
		"own url":     {cache: target.Cache{Type: "gha", Attrs: attrs{"url": "https://evil/"}}},
		"own url_v2":  {cache: target.Cache{Type: "gha", Attrs: attrs{"url_v2": "https://evil/"}}},
		"another":     {cache: target.Cache{Type: "registry"}},
		"no runner":   {cache: target.Cache{Type: "gha"}, nobody: true},
	} {
		env := maps.Clone(runner)
		if x.nobody {
			env = nil
		}
		for k, v := range x.extra {
			env[k] = v
		}
		got := target.GitHubCacheLogin(x.cache, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		if !maps.Equal(got, x.want) {
			t.Errorf("%s: GitHubCacheLogin(%v) = %v, want %v", name, x.cache, got, x.want)
		}
	}
}
