package build

import (
	"path/filepath"
	"strings"
	"testing"

	"slipway/build/engine"
	"slipway/project"
)

// TestUntrustedStateDir: an engine that slipway starts keeps what untrusted builds leave
// in a directory that no trusted build reads, be it a named one or the default.
func TestUntrustedStateDir(t *testing.T) {
	t.Parallel()
	p := &project.Plan{Untrusted: project.Untrusted{Why: "x", Number: 12}}
	host := &project.Host{}
	for _, dir := range []string{"", "/state"} {
		o := Options{StateDir: dir}
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
