package registry

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"slipway/internal/sandbox"
)

const (
	homeAccount, otherAccount = "111111111111", "222222222222"
	homeRegion, otherRegion   = "eu-west-1", "us-east-2"
)

// startSandbox serves the home account and region, and clients for it.
func startSandbox(t *testing.T) (*sandbox.Server, Clients) {
	t.Helper()
	server, err := sandbox.Start(t.Context(), sandbox.Options{Account: homeAccount, Region: homeRegion, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, func(region string) *ecr.Client {
		if region == "" {
			region = homeRegion
		}
		return client(server.URL(), region)
	}
}

// actions counts the calls of ECR's API since the last reset.
func actions(server *sandbox.Server) map[string]int {
	counts := map[string]int{}
	for _, call := range server.Calls() {
		if call.Service == "ecr" {
			counts[call.Action]++
		}
	}
	return counts
}

func wantCalls(t *testing.T, server *sandbox.Server, action string, want int) {
	t.Helper()
	if got := actions(server); got[action] != want {
		t.Errorf("%d calls of %s, want %d, in %v", got[action], action, want, got)
	}
}

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
