package target_test

import (
	"testing"

	"slipway/build/target"
)

// The hosts of the compose file stay next to that of the namespace.
func TestNamespaceKeepsHosts(t *testing.T) {
	t.Parallel()
	x := target.Target{Service: "app", ExtraHosts: []string{"db=10.0.0.1"}}
	attrs := x.SolveOpt(target.Push{Namespace: "pr12"}, target.Sources{}).FrontendAttrs
	if got, want := attrs["add-hosts"], "pr12.slipway.invalid=127.0.0.1,db=10.0.0.1"; got != want {
		t.Errorf("add-hosts is %q, want %q", got, want)
	}
	if attrs := x.SolveOpt(target.Push{}, target.Sources{}).FrontendAttrs; attrs["add-hosts"] != "db=10.0.0.1" || attrs["build-arg:BUILDKIT_SANDBOX_HOSTNAME"] != "" {
		t.Errorf("without a namespace: %v", attrs)
	}
}
