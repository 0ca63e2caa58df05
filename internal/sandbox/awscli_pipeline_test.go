package sandbox_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// TestAWSCLIPipelines: the pipelines of examples/pipelines fit Amazon's models, and so
// do the sandbox's answers about their executions.
func TestAWSCLIPipelines(t *testing.T) {
	t.Parallel()
	path := awsCLI(t)
	s := testkit.StartSandbox(t, sandbox.Options{})
	dir := t.TempDir()
	files, err := filepath.Glob("../../examples/pipelines/*/pipeline.json")
	if err != nil || len(files) != 3 {
		t.Fatalf("%d pipelines, %v", len(files), err)
	}
	for _, file := range files {
		file, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		runAWS(t, path, s, dir, "codepipeline", "create-pipeline", "--cli-input-json", "file://"+file)
	}
	if err := s.Push("stores", "0123456789abcdef0123456789abcdef01234567"); err != nil {
		t.Fatal(err)
	}
	id := fieldOf(t, runAWS(t, path, s, dir, "codepipeline", "list-pipeline-executions", "--pipeline-name", "stores"), "pipelineExecutionSummaries", "pipelineExecutionId")
	s.Advance(time.Minute)
	out := runAWS(t, path, s, dir, "codepipeline", "get-pipeline-execution", "--pipeline-name", "stores", "--pipeline-execution-id", id)
	if got := fieldOf(t, out, "pipelineExecution", "status"); got != "Succeeded" {
		t.Errorf("got %s, want Succeeded", got)
	}
	out = runAWS(t, path, s, dir, "codepipeline", "list-action-executions", "--pipeline-name", "stores", "--filter", "pipelineExecutionId="+id)
	if !strings.Contains(out, `"Succeeded"`) {
		t.Errorf("got %s, want Succeeded", out)
	}
}
