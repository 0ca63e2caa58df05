package sandbox_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// shopPipeline is a pipeline of three stages on s3://source/shop.zip.
func shopPipeline() *codepipeline.CreatePipelineInput {
	stage := func(name string, category types.ActionCategory, provider string, configuration map[string]string) types.StageDeclaration {
		return types.StageDeclaration{Name: aws.String(name), Actions: []types.ActionDeclaration{{
			Name:          aws.String(name),
			ActionTypeId:  &types.ActionTypeId{Category: category, Owner: types.ActionOwnerAws, Provider: aws.String(provider), Version: aws.String("1")},
			Configuration: configuration,
		}}}
	}
	return &codepipeline.CreatePipelineInput{Pipeline: &types.PipelineDeclaration{
		Name: aws.String("shop"), RoleArn: aws.String("arn:aws:iam::000000000000:role/pipeline"),
		Stages: []types.StageDeclaration{
			stage("Source", types.ActionCategorySource, "S3", map[string]string{"S3Bucket": "source", "S3ObjectKey": "shop.zip"}),
			stage("Build", types.ActionCategoryBuild, "CodeBuild", nil),
			stage("Deploy", types.ActionCategoryDeploy, "ECS", nil),
		},
	}}
}

func TestPipeline(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	client := codepipeline.NewFromConfig(testkit.AWSConfig(s.URL()))
	ctx := t.Context()
	name := aws.String("shop")
	bucket := s3.NewFromConfig(testkit.AWSConfig(s.URL()))
	done(bucket.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("source")}))(t)
	done(bucket.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String("source"), VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}}))(t)
	_, err := client.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: name})
	var missing *types.PipelineNotFoundException
	if !errors.As(err, &missing) {
		t.Fatalf("got %v, want PipelineNotFoundException", err)
	}
	done(client.CreatePipeline(ctx, shopPipeline()))(t)

	s.SetPipelineAction("shop", "Source", sandbox.PipelineAction{Takes: time.Minute})
	s.SetPipelineAction("shop", "Build", sandbox.PipelineAction{Takes: time.Hour, URL: "https://example.com/log"})
	put := done(bucket.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("source"), Key: aws.String("shop.zip")}))(t)
	newest := func() types.PipelineExecutionSummary {
		out, err := client.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: name})
		if err != nil || len(out.PipelineExecutionSummaries) == 0 {
			t.Fatalf("got %v, %v, want an execution", out, err)
		}
		return out.PipelineExecutionSummaries[0]
	}
	first := newest()
	if first.Status != types.PipelineExecutionStatusInProgress || len(first.SourceRevisions) != 0 {
		t.Errorf("before the source was read: %+v", first)
	}
	s.Advance(time.Minute)
	if got := newest(); len(got.SourceRevisions) != 1 || aws.ToString(got.SourceRevisions[0].RevisionId) != aws.ToString(put.VersionId) {
		t.Errorf("after the source was read: %+v", got)
	}
	s.Advance(2 * time.Hour)
	one, err := client.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: name, PipelineExecutionId: first.PipelineExecutionId})
	if err != nil || one.PipelineExecution.Status != types.PipelineExecutionStatusSucceeded || aws.ToString(one.PipelineExecution.ArtifactRevisions[0].RevisionId) != aws.ToString(put.VersionId) {
		t.Fatalf("got %+v, %v, want a succeeded execution of version %s", one, err, aws.ToString(put.VersionId))
	}

	// The next one fails, and the one after it is stopped.
	s.SetPipelineAction("shop", "Build", sandbox.PipelineAction{Error: "COMMAND_EXECUTION_ERROR", URL: "https://example.com/log"})
	done(bucket.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("source"), Key: aws.String("shop.zip")}))(t)
	second := newest()
	s.Advance(time.Hour)
	if got := newest(); got.Status != types.PipelineExecutionStatusFailed {
		t.Errorf("got %+v, want a failed execution", got)
	}
	var actions []types.ActionExecutionDetail
	pages := codepipeline.NewListActionExecutionsPaginator(client, &codepipeline.ListActionExecutionsInput{
		PipelineName: name, MaxResults: aws.Int32(1), Filter: &types.ActionExecutionFilter{PipelineExecutionId: second.PipelineExecutionId},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		actions = append(actions, page.ActionExecutionDetails...)
	}
	if len(actions) != 2 || aws.ToString(actions[0].ActionName) != "Build" || actions[0].Status != types.ActionExecutionStatusFailed ||
		aws.ToString(actions[0].Output.ExecutionResult.ErrorDetails.Message) != "COMMAND_EXECUTION_ERROR" || actions[1].Status != types.ActionExecutionStatusSucceeded {
		t.Errorf("got %+v, want a failed build after a source that succeeded", actions)
	}
	done(bucket.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("source"), Key: aws.String("shop.zip")}))(t)
	third := newest()
	stop := &codepipeline.StopPipelineExecutionInput{PipelineName: name, PipelineExecutionId: third.PipelineExecutionId}
	done(client.StopPipelineExecution(ctx, stop))(t)
	s.Advance(time.Hour)
	if got := newest(); got.Status != types.PipelineExecutionStatusStopped {
		t.Errorf("got %+v, want a stopped execution", got)
	}
	_, err = client.StopPipelineExecution(ctx, stop)
	wantCode(t, err, "PipelineExecutionNotStoppableException")
}

// TestPipelineWork: actions that have work do it one after the other, and none behind one
// that failed.
func TestPipelineWork(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	client := codepipeline.NewFromConfig(testkit.AWSConfig(s.URL()))
	bucket := s3.NewFromConfig(testkit.AWSConfig(s.URL()))
	ctx := t.Context()
	done(bucket.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("source")}))(t)
	done(bucket.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String("source"), VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}}))(t)
	done(client.CreatePipeline(ctx, shopPipeline()))(t)
	put := done(bucket.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("source"), Key: aws.String("shop.zip")}))(t)

	works := make(chan string, 2)
	proceed := make(chan error)
	work := func(name string) sandbox.PipelineAction {
		return sandbox.PipelineAction{Run: func(w sandbox.PipelineWork) error {
			works <- name + " " + w.Version
			return <-proceed
		}}
	}
	s.SetPipelineAction("shop", "Build", work("build"))
	s.SetPipelineAction("shop", "Deploy", work("deploy"))
	status := func() types.PipelineExecutionSummary {
		return done(client.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: aws.String("shop")}))(t).PipelineExecutionSummaries[0]
	}
	status() // it starts
	s.Advance(time.Minute)
	if got := status(); got.Status != types.PipelineExecutionStatusInProgress {
		t.Errorf("got %+v, want an execution in progress", got)
	}
	if got, want := <-works, "build "+aws.ToString(put.VersionId); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	proceed <- nil
	if got := <-works; got != "deploy "+aws.ToString(put.VersionId) { // no request was made meanwhile
		t.Errorf("got %s, want the deployment of the version", got)
	}
	if got := status(); got.Status != types.PipelineExecutionStatusInProgress {
		t.Errorf("got %+v, want an execution in progress", got)
	}
	proceed <- errors.New("unstable")
	for status().Status == types.PipelineExecutionStatusInProgress {
		time.Sleep(time.Millisecond)
	}
	if got := status(); got.Status != types.PipelineExecutionStatusFailed {
		t.Errorf("got %+v, want a failed execution", got)
	}
	actions := done(client.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: aws.String("shop")}))(t).ActionExecutionDetails
	if len(actions) != 3 || aws.ToString(actions[0].Output.ExecutionResult.ErrorDetails.Message) != "unstable" {
		t.Errorf("got %+v, want three actions, the last one unstable", actions)
	}
}

// TestPipelineFromGit: a pipeline whose source is a repository starts when a commit is
// reported to it, and no other pipeline does.
func TestPipelineFromGit(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	client := codepipeline.NewFromConfig(testkit.AWSConfig(s.URL()))
	ctx := t.Context()
	in := shopPipeline()
	source := &in.Pipeline.Stages[0].Actions[0]
	source.ActionTypeId.Provider = aws.String("CodeStarSourceConnection")
	source.Configuration = map[string]string{"ConnectionArn": "arn", "FullRepositoryId": "example/shop"}
	_, err := client.CreatePipeline(ctx, in)
	wantCode(t, err, "InvalidActionDeclarationException")
	source.Configuration["BranchName"] = "main"
	done(client.CreatePipeline(ctx, in))(t)
	list := &codepipeline.ListPipelineExecutionsInput{PipelineName: aws.String("shop")}
	if all := done(client.ListPipelineExecutions(ctx, list))(t).PipelineExecutionSummaries; len(all) != 0 {
		t.Errorf("got %+v, want no execution", all)
	}
	if err := s.Push("shop", "0123456789abcdef0123456789abcdef01234567"); err != nil {
		t.Fatal(err)
	}
	s.Advance(time.Minute)
	all := done(client.ListPipelineExecutions(ctx, list))(t).PipelineExecutionSummaries
	if len(all) != 1 || all[0].Status != types.PipelineExecutionStatusSucceeded || aws.ToString(all[0].SourceRevisions[0].RevisionId) != "0123456789abcdef0123456789abcdef01234567" {
		t.Errorf("got %+v, want a succeeded execution of the revision", all)
	}
	other := shopPipeline()
	other.Pipeline.Name = aws.String("other")
	done(client.CreatePipeline(ctx, other))(t)
	for _, name := range []string{"other", "none"} {
		if err := s.Push(name, "c"); err == nil {
			t.Errorf("%s takes a commit", name)
		}
	}
	other.Pipeline.Name = aws.String("third")
	other.Pipeline.Stages[0].Actions[0].ActionTypeId.Provider = aws.String("ECR")
	_, err = client.CreatePipeline(ctx, other)
	wantCode(t, err, "InvalidStructureException")
}

// done is the answer of a call that must succeed.
func done[T any](out T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}
