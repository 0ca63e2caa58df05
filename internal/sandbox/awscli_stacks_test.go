package sandbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/internal/testtools"
	"slipway/stack"
)

// TestAWSCLIDeploysStacks: `aws cloudformation deploy` takes the templates of
// `slipway stack`. The second time nothing changes.
func TestAWSCLIDeploysStacks(t *testing.T) {
	t.Parallel() // each command takes about a second
	path := testtools.Require(t, testtools.CurrentAWSCLI)
	s := testkit.StartSandbox(t, sandbox.Options{})
	dir := t.TempDir()
	for _, name := range []string{"network", "site-alb"} {
		template, err := stack.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(template.Text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	network := []string{"cloudformation", "deploy", "--stack-name", "network", "--template-file", "network.yaml"}
	site := []string{"cloudformation", "deploy", "--stack-name", "site", "--template-file", "site-alb.yaml"}
	parameters := []string{"--parameter-overrides", "Project=site", "Repositories=site/web", "ContainerPort=8080"}
	iam := []string{"--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"}
	for range 2 {
		runAWS(t, path, s, dir, append(network, "--no-fail-on-empty-changeset")...)
		if _, stderr, err := tryAWS(t, path, s, dir, append(site, parameters...)...); err == nil || !strings.Contains(stderr, "InsufficientCapabilitiesException") {
			t.Errorf("without capabilities: %v, %s, want InsufficientCapabilitiesException", err, stderr)
		}
		runAWS(t, path, s, dir, append(append(site, parameters...), iam...)...)
	}
	out := runAWS(t, path, s, dir, append(append(site, "--parameter-overrides", "HealthCheckPath=/health"), iam...)...)
	if strings.Contains(out, "No changes") {
		t.Errorf("with another path: %s, want a change", out)
	}
	out = runAWS(t, path, s, dir, append(site, iam...)...)
	if !strings.Contains(out, "No changes to deploy. Stack site is up to date") {
		t.Errorf("without a change: %s, want that there are no changes", out)
	}
	described := runAWS(t, path, s, dir, "cloudformation", "describe-stacks", "--stack-name", "site")
	if got := fieldOf(t, described, "Stacks", "StackStatus"); got != "UPDATE_COMPLETE" {
		t.Errorf("the stack is in %s, want UPDATE_COMPLETE", got)
	}
	if _, stderr, err := tryAWS(t, path, s, dir, "cloudformation", "delete-stack", "--stack-name", "network"); err == nil || !strings.Contains(stderr, "in use by site") {
		t.Errorf("deleting network before site: %v, %s, want that it is refused", err, stderr)
	}
	for _, name := range []string{"site", "network"} {
		runAWS(t, path, s, dir, "cloudformation", "delete-stack", "--stack-name", name)
		runAWS(t, path, s, dir, "cloudformation", "wait", "stack-delete-complete", "--stack-name", name)
	}
}
