package cmd

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"slipway/internal/testkit"
)

// count returns how often an action was called since the calls were reset.
func (h *ecsFixture) count(service, action string) (n int) {
	for _, c := range h.aws.Calls() {
		if c.Service == service && c.Action == action {
			n++
		}
	}
	return n
}

// wantCounts fails the test unless actions, as SERVICE ACTION, were called so often.
func (h *ecsFixture) wantCounts(want map[[2]string]int) {
	h.t.Helper()
	for action, n := range want {
		if got := h.count(action[0], action[1]); got != n {
			h.t.Errorf("%s was called %d times, want %d", action, got, n)
		}
	}
	h.aws.ResetCalls()
}

// TestBuildReadsSurroundingsOnce: build --rollout asks for the stack and for each secret
// once, and finds out before it builds that a secret is missing.
func TestBuildReadsSurroundingsOnce(t *testing.T) {
	t.Parallel()
	h := settingsFixture(t)
	h.aws.ResetCalls()
	name := "shop/db"
	secrets := secretsmanager.NewFromConfig(testkit.AWSConfig(h.aws.URL()))
	if _, err := secrets.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	h.start("build", "--rollout", "--adopt", "--hash", "first").wait(exitUsage).
		says("secrets.db: shop/db does not exist: no task can start with it", "`slipway secrets push db`")
	h.wantCounts(map[[2]string]int{
		{"registry", "PUT manifest"}: 0, {"registry", "POST upload"}: 0, {"ecr", "PutImage"}: 0, {"ecr", "PutLifecyclePolicy"}: 0,
		{"ecs", "RegisterTaskDefinition"}: 0, {"ecs", "UpdateService"}: 0,
	})
	if err := writeSecret(t.Context(), h.aws.URL(), name, "hush"); err != nil {
		t.Fatal(err)
	}
	h.aws.ResetCalls()
	for _, registered := range []int{1, 0} {
		h.start("build", "--rollout", "--adopt", "--hash", "first").wait(exitDone)
		h.wantCounts(map[[2]string]int{
			{"cloudformation", "DescribeStacks"}: 1, {"secretsmanager", "DescribeSecret"}: 2, {"ssm", "GetParameters"}: 0,
			{"secretsmanager", "GetSecretValue"}: 0, {"ecs", "RegisterTaskDefinition"}: registered, {"ecs", "UpdateService"}: registered,
		})
	}
}
