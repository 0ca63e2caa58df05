package build

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"slipway/build/engine"
	"slipway/build/target"
	"slipway/project"
)

// TestUntrustedStateDir: an engine that slipway starts keeps what untrusted builds leave
// in a directory that no trusted build reads, be it a named one or the default.
func TestUntrustedStateDir(t *testing.T) {
	t.Parallel()
	p := &project.Plan{Untrusted: project.Untrusted{Why: "x", Number: 12}}
	host := &project.Host{}
	for _, dir := range []string{"", "/state"} {
		o := Options{Engine: engine.Options{StateDir: dir}}
		trusted, kept := o.EngineSearch(host, &project.Plan{}).StateDir, o.EngineSearch(host, p).StateDir
		if trusted != dir || kept == trusted || filepath.Base(kept) != "untrusted" || dir != "" && !strings.HasPrefix(kept, dir) {
			t.Errorf("--engine-state %q: trusted in %q, untrusted in %q", dir, trusted, kept)
		}
	}
}

// TestUntrustedNamespace: only an engine of slipway's own needs none.
func TestUntrustedNamespace(t *testing.T) {
	t.Parallel()
	own, docker := &engine.Engine{Kind: engine.Managed}, &engine.Engine{Kind: engine.Docker}
	for _, tt := range []struct {
		u       project.Untrusted
		engines []*engine.Engine
		want    string
	}{
		{project.Untrusted{}, []*engine.Engine{docker}, ""},
		{project.Untrusted{Why: "x", Number: 12}, []*engine.Engine{own}, ""},
		{project.Untrusted{Why: "x", Number: 12}, []*engine.Engine{docker}, "pr12"},
		{project.Untrusted{Why: "x", Number: 12}, []*engine.Engine{own, docker}, "pr12"},
		{project.Untrusted{Why: "x"}, []*engine.Engine{{Kind: engine.Buildkitd}}, "untrusted"},
	} {
		j := &job{plan: &project.Plan{Untrusted: tt.u}}
		if got := j.namespaceOn(tt.engines); got != tt.want {
			t.Errorf("%+v: namespace %q, want %q", tt.u, got, tt.want)
		}
	}
}

// TestTargetsLeaveNoCache: where a build may leave no cache, only those in the image
// are exported, and the plan does not change.
func TestTargetsLeaveNoCache(t *testing.T) {
	t.Parallel()
	registry, inline := target.Cache{Type: project.CacheRegistry}, target.Cache{Type: project.CacheInline}
	plan := func(caches ...target.Cache) *project.Plan {
		return &project.Plan{Components: []project.Component{{Build: true, Target: target.Target{Service: "web", CacheTo: slices.Clone(caches)}}}}
	}
	for name, tt := range map[string]struct {
		o     Options
		to    []target.Cache
		want  int
		drops bool
	}{
		"a trusted build":           {Options{}, []target.Cache{registry, inline}, 2, false},
		"no tag moves":              {Options{NoLatest: true}, []target.Cache{registry, inline}, 1, true},
		"only in the image":         {Options{NoLatest: true}, []target.Cache{inline}, 1, false},
		"in the settings":           {Options{NoLatest: true, Cache: "s3://layers/x"}, []target.Cache{inline}, 1, true},
		"named on the command line": {Options{NoLatest: true, Cache: project.CacheRegistry, CacheGiven: true}, []target.Cache{registry}, 1, false},
	} {
		p := plan(tt.to...)
		if got := tt.o.Targets(p)[0].CacheTo; len(got) != tt.want {
			t.Errorf("%s: Targets() exports %v, want %d caches", name, got, tt.want)
		}
		if got := tt.o.dropsCache(p); got != tt.drops {
			t.Errorf("%s: dropsCache() = %t, want %t", name, got, tt.drops)
		}
		if !reflect.DeepEqual(p, plan(tt.to...)) {
			t.Errorf("%s: Targets() changed the plan to %+v", name, p)
		}
	}
}
