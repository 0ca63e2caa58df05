package source_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"slipway/artifact/source"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// pipelineFixture is a sandbox with the pipeline "shop" on s3://shop/source/shop.zip.
type pipelineFixture struct {
	*sandbox.Server
	s3       *s3.Client
	pipeline *codepipeline.Client
	follower source.PipelineFollower
}

func newPipelineFixture(t *testing.T) *pipelineFixture {
	t.Helper()
	server := testkit.StartSandbox(t, sandbox.Options{})
	config := testkit.AWSConfig(server.URL())
	p := &pipelineFixture{Server: server, s3: s3.NewFromConfig(config), pipeline: codepipeline.NewFromConfig(config)}
	p.follower = source.PipelineFollower{API: p.pipeline, Name: "shop", First: time.Millisecond, Max: 20 * time.Millisecond}
	stage := func(name string, category types.ActionCategory, provider string, configuration map[string]string) types.StageDeclaration {
		return types.StageDeclaration{Name: aws.String(name), Actions: []types.ActionDeclaration{{
			Name: aws.String(name + "It"), Configuration: configuration,
			ActionTypeId: &types.ActionTypeId{Category: category, Owner: types.ActionOwnerAws, Provider: aws.String(provider), Version: aws.String("1")},
		}}}
	}
	_, err := p.pipeline.CreatePipeline(t.Context(), &codepipeline.CreatePipelineInput{Pipeline: &types.PipelineDeclaration{
		Name: aws.String("shop"), RoleArn: aws.String("arn:aws:iam::000000000000:role/pipeline"),
		Stages: []types.StageDeclaration{
			stage("Source", types.ActionCategorySource, "S3", map[string]string{"S3Bucket": sourceZip.Bucket, "S3ObjectKey": sourceZip.Key}),
			stage("Agree", types.ActionCategoryApproval, "Manual", nil),
			stage("Build", types.ActionCategoryBuild, "CodeBuild", nil),
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := testkit.CreateVersionedBucket(t.Context(), p.s3, sourceZip.Bucket); err != nil {
		t.Fatal(err)
	}
	return p
}

// submit puts an archive there and returns its version.
func (p *pipelineFixture) submit(t *testing.T, seed uint64) string {
	t.Helper()
	done, err := source.Submit(t.Context(), p.s3, sourceZip, pack(t, 10, seed), nil)
	if err != nil {
		t.Fatal(err)
	}
	return done.VersionID
}

func TestFollowPipeline(t *testing.T) {
	p := newPipelineFixture(t)
	if err := p.follower.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.SetPipelineAction("shop", "BuildIt", sandbox.PipelineAction{URL: "https://example.com/1"})
	first := p.submit(t, 1)
	var lines []string
	tell := func(n source.PipelineNews) { lines = append(lines, n.Stage+"/"+n.Action+" "+n.Text) }
	run, err := p.follower.Follow(t.Context(), first, tell)
	if err != nil || run.Status != types.PipelineExecutionStatusSucceeded || run.ExecutionID == "" || len(run.Failed) > 0 {
		t.Fatalf("got %+v, %v, want a succeeded execution", run, err)
	}
	for _, want := range []string{
		"/ execution " + run.ExecutionID, "Source/SourceIt succeeded", "Agree/AgreeIt waits for approval", "Agree/AgreeIt succeeded",
		"Build/BuildIt started: https://example.com/1", "Build/BuildIt succeeded",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is not in %q", want, lines)
		}
	}
	if all := slices.Clone(lines); len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(lines) {
		t.Errorf("reported twice: %q", lines)
	}

	// The failed one reports its action's message and link; the first one can still be found.
	p.SetPipelineAction("shop", "BuildIt", sandbox.PipelineAction{Error: "exit status 1", URL: "https://example.com/2"})
	lines = nil
	second, err := p.follower.Follow(t.Context(), p.submit(t, 2), tell)
	if err != nil || second.Status != types.PipelineExecutionStatusFailed || len(second.Failed) != 1 {
		t.Fatalf("got %+v, %v, want a failed execution with one failed action", second, err)
	}
	want := source.PipelineAction{Stage: "Build", Name: "BuildIt", Category: types.ActionCategoryBuild, Status: types.ActionExecutionStatusFailed, Message: "exit status 1", URL: "https://example.com/2"}
	if second.Failed[0] != want {
		t.Errorf("got %+v, want %+v", second.Failed[0], want)
	}
	if want := "Build/BuildIt failed: exit status 1: https://example.com/2"; !slices.Contains(lines, want) {
		t.Errorf("%q is not in %q", want, lines)
	}
	if again, err := p.follower.Follow(t.Context(), first, nil); err != nil || again.ExecutionID != run.ExecutionID || again.Status != run.Status {
		t.Errorf("the first again: got %+v, %v", again, err)
	}
}

// TestFollowPipelineTrouble has AWS throttle and break for a while, and then refuse.
func TestFollowPipelineTrouble(t *testing.T) {
	p := newPipelineFixture(t)
	version := p.submit(t, 1)
	for _, f := range []sandbox.Fault{
		{Service: "codepipeline", Action: "ListPipelineExecutions", Count: 3, Error: "ThrottlingException"},
		{Service: "codepipeline", Action: "GetPipelineExecution", Count: 3, Error: "InternalFailure"},
	} {
		if err := p.Fault(f); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	run, err := p.follower.Follow(t.Context(), version, func(n source.PipelineNews) {
		if n.Action == "" {
			told++
		}
	})
	if err != nil || run.Status != types.PipelineExecutionStatusSucceeded || told != 3 {
		t.Errorf("got %+v, %v; %d lines, want a succeeded execution and 3 lines", run, err, told)
	}
	if err := p.Fault(sandbox.Fault{Service: "codepipeline", Action: "ListActionExecutions", Count: 1, Error: "AccessDeniedException"}); err != nil {
		t.Fatal(err)
	}
	run, err = p.follower.Follow(t.Context(), version, nil)
	var answer smithy.APIError
	if !errors.As(err, &answer) || answer.ErrorCode() != "AccessDeniedException" || run.ExecutionID == "" {
		t.Errorf("got %+v, %v, want AccessDeniedException and the execution's ID", run, err)
	}
}

// TestFollowPipelineEnds has executions that never start, never end, or are stopped.
func TestFollowPipelineEnds(t *testing.T) {
	p := newPipelineFixture(t)
	var missing *types.PipelineNotFoundException
	other := p.follower
	other.Name = "other"
	if err := other.Check(t.Context()); !errors.As(err, &missing) {
		t.Errorf("no pipeline: got %v", err)
	}
	short := p.follower
	short.Appear = 30 * time.Millisecond
	var none *source.NoExecutionError
	if _, err := short.Follow(t.Context(), "another-version", nil); !errors.As(err, &none) || none.Hint() == "" {
		t.Errorf("no execution: got %v", err)
	}

	p.SetPipelineAction("shop", "BuildIt", sandbox.PipelineAction{Takes: time.Hour})
	version := p.submit(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	run, err := p.follower.Follow(ctx, version, nil)
	if !errors.Is(err, context.DeadlineExceeded) || run.Status != types.PipelineExecutionStatusInProgress {
		t.Fatalf("never ends: got %+v, %v", run, err)
	}
	_, err = p.pipeline.StopPipelineExecution(t.Context(), &codepipeline.StopPipelineExecutionInput{PipelineName: aws.String("shop"), PipelineExecutionId: &run.ExecutionID, Reason: aws.String("enough")})
	if err != nil {
		t.Fatal(err)
	}
	run, err = p.follower.Follow(t.Context(), version, nil)
	if err != nil || run.Status != types.PipelineExecutionStatusStopped || run.Summary != "enough" {
		t.Errorf("stopped: got %+v, %v, want a stopped execution: enough", run, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := p.follower.Follow(ended, version, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
