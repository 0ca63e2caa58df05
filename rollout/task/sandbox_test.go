package task_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/rollout/task"
)

// TestSandboxAcceptsDefinitions registers every definition of testdata/rows on the
// sandbox, which has ECS's own rules where cfn-lint has none: capabilities,
// dependencies, ports, bounds.
func TestSandboxAcceptsDefinitions(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	all := everyDefinition(t)
	if len(all) < 100 {
		t.Fatalf("%d definitions, want those of all rows and keys", len(all))
	}
	for name, d := range all {
		if refusal := register(t, s, d.Input); refusal != "" {
			t.Errorf("%s: RegisterTaskDefinition refuses it, want it accepted: %s", name, refusal)
		}
	}
	spoilt := all["row two_containers.txtar 0"].Input
	spoilt.CPU = "300"
	if refusal := register(t, s, spoilt); !strings.Contains(refusal, "No Fargate configuration") {
		t.Errorf("RegisterTaskDefinition of a size that Fargate does not have: got %q, want a refusal", refusal)
	}
}

// register sends RegisterTaskDefinition and returns the error of the answer.
func register(t *testing.T, s *sandbox.Server, in task.Input) string {
	t.Helper()
	body, err := task.JSON(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=sandbox/20260101/us-east-1/ecs/aws4_request")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // it has been read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var refused struct{ Message string }
	if err := json.Unmarshal(text, &refused); err != nil || answer.StatusCode == http.StatusOK {
		return ""
	}
	return refused.Message
}
