package target_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"

	"slipway/build/target"
	"slipway/internal/golden"
)

// request is the part of a BuildKit request that is plain data.
type request struct {
	Service      string
	Frontend     string
	Attrs        map[string]string
	Exports      []target.Cache // a type with attributes, like a cache
	CacheImports []client.CacheOptionsEntry
	CacheExports []client.CacheOptionsEntry
	Entitlements []string
}

func requestOf(t target.Target, push target.Push, src target.Sources) request {
	o := t.SolveOpt(push, src)
	var exports []target.Cache
	for _, e := range o.Exports {
		exports = append(exports, target.Cache{Type: e.Type, Attrs: e.Attrs})
	}
	return request{t.Service, o.Frontend, o.FrontendAttrs, exports, o.CacheImports, o.CacheExports, o.AllowedEntitlements}
}

// allKeys plans testdata/keys, which uses every key that is carried.
func allKeys(t *testing.T) (dir string, list []target.Target) {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("testdata", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	p := load(t, dir, "TAG=7", "FROM_HOST=yes", "API_TOKEN=s3cr3t-token", "SSH_AUTH_SOCK=/run/agent.sock")
	list, warnings, err := target.Select(p, target.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	want := "services.web.build.provenance: provenance holds the time of the build, so the digest is a new one each time the image is built"
	if !slices.Equal(warnings, []string{want}) {
		t.Errorf("warnings %q", warnings)
	}
	return dir, list
}

func TestTargetsGolden(t *testing.T) {
	dir, list := allKeys(t)
	got := indented(t, dir, list)
	for _, secret := range []string{"s3cr3t-npm", "s3cr3t-token"} {
		if strings.Contains(string(got), secret) {
			t.Errorf("the targets show the secret %s", secret)
		}
	}
	golden.Check(t, "targets.golden", got)
}

func TestSolveOptGolden(t *testing.T) {
	dir, list := allKeys(t)
	src := target.Sources{Session: map[string]string{}, Images: map[string]string{"lib": "registry.example.org/lib@sha256:11"}}
	for _, d := range target.Dirs(list) {
		src.Session[d] = "session of " + d
	}
	var got []request
	for _, x := range list {
		src.Session[x.InlineKey()] = "session of " + x.InlineKey()
		from, to := target.RegistryCache("registry.example.org/" + x.Service + ":buildcache")
		push := target.Push{Repository: "registry.example.org/" + x.Service, Inputs: "0123"}
		push.CacheFrom, push.CacheTo = []target.Cache{from}, []target.Cache{to}
		push.Insecure = x.Service == "lib"
		got = append(got, requestOf(x, push, src))
	}
	golden.Check(t, "requests.golden", indented(t, dir, got))
}
