package testkit

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"slipway/internal/daemontest"
	"slipway/internal/sandbox"
)

// The account and region of the sandbox that StartECR starts, and others.
const (
	HomeAccount  = "111111111111"
	OtherAccount = "222222222222"
	HomeRegion   = "eu-west-1"
	OtherRegion  = "us-east-2"
)

// StartSandbox starts a sandbox that is closed when the test ends. Its files
// are in a temporary directory of the test unless o names one. Its tasks run with
// the pinned runc if that is there.
func StartSandbox(t testing.TB, o sandbox.Options) *sandbox.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Run {
		o.Runc = PinnedRunc()
	}
	server, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("starting the sandbox: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("closing the sandbox: %v", err)
		}
	})
	return server
}

// StartECR starts a sandbox of HomeAccount and HomeRegion and returns its ECR
// clients by region. The client of the region "" is the one of HomeRegion.
func StartECR(t testing.TB) (*sandbox.Server, func(region string) *ecr.Client) {
	t.Helper()
	server := StartSandbox(t, sandbox.Options{Account: HomeAccount, Region: HomeRegion})
	return server, func(region string) *ecr.Client {
		if region == "" {
			region = HomeRegion
		}
		return ECRClient(server.URL(), region)
	}
}

// ECRCalls returns how often each action of ECR's API was called since the last
// reset of the sandbox's calls.
func ECRCalls(server *sandbox.Server) map[string]int {
	counts := map[string]int{}
	for _, call := range server.Calls() {
		if call.Service == "ecr" {
			counts[call.Action]++
		}
	}
	return counts
}

// WantECRCalls checks how often an action of ECR's API was called since the
// last reset of the sandbox's calls.
func WantECRCalls(t testing.TB, server *sandbox.Server, action string, want int) {
	t.Helper()
	if got := ECRCalls(server); got[action] != want {
		t.Errorf("%d calls of %s, want %d, in %v", got[action], action, want, got)
	}
}

// PinnedRunc returns the path of the runc that `make tools` builds, "" if it is not
// there.
func PinnedRunc() string {
	tools, err := daemontest.Tools()
	if err != nil {
		return ""
	}
	path, err := exec.LookPath(filepath.Join(tools, "bin", "runc"))
	if err != nil {
		return ""
	}
	return path
}
