package registry

import (
	"testing"

	"slipway/internal/sandbox"
)

// mustCreate creates repositories and forgets the calls that took.
func mustCreate(t *testing.T, server *sandbox.Server, clients Clients, refs ...Ref) map[Ref]Repository {
	t.Helper()
	repos, err := Create(t.Context(), clients, refs, nil)
	if err != nil {
		t.Fatal(err)
	}
	server.ResetCalls()
	return repos
}
