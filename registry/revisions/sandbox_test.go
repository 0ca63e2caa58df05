package revisions

import (
	"testing"

	"slipway/internal/sandbox"
	"slipway/registry"
	"slipway/registry/lifecycle"
)

// mustCreate creates repositories and forgets the calls that took.
func mustCreate(t *testing.T, server *sandbox.Server, clients registry.Clients, refs ...registry.Ref) map[registry.Ref]registry.Repository {
	t.Helper()
	repos, err := registry.Create(t.Context(), clients, refs, nil)
	if err != nil {
		t.Fatal(err)
	}
	server.ResetCalls()
	return repos
}

// retentionPolicy is the policy that registry.ApplyRetention writes.
func retentionPolicy(days int) lifecycle.Policy {
	return lifecycle.New(days, append(registry.Protected(), registry.TagCache+"-linux-*")...)
}
