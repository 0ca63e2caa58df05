package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway/internal/awsclient"
)

type pipelineAPI interface {
	ListPipelineExecutions(context.Context, *codepipeline.ListPipelineExecutionsInput, ...func(*codepipeline.Options)) (*codepipeline.ListPipelineExecutionsOutput, error)
	GetPipelineExecution(context.Context, *codepipeline.GetPipelineExecutionInput, ...func(*codepipeline.Options)) (*codepipeline.GetPipelineExecutionOutput, error)
	ListActionExecutions(context.Context, *codepipeline.ListActionExecutionsInput, ...func(*codepipeline.Options)) (*codepipeline.ListActionExecutionsOutput, error)
}

// PipelineFollower waits for the pipeline execution of a submitted object.
type PipelineFollower struct {
	API  pipelineAPI
	Name string
	// First and Max bound the pause between two rounds of requests; 1 s and 10 s if 0.
	First, Max time.Duration
	// Appear is how long an execution may take to start: without events, CodePipeline
	// polls a bucket once a minute. 5 minutes if 0.
	Appear time.Duration
}

// PipelineRun is one execution of a pipeline and its state.
type PipelineRun struct {
	ExecutionID string
	// Status is one of types.PipelineExecutionStatus: Succeeded, Failed, Stopped …
	Status types.PipelineExecutionStatus
	// Summary is CodePipeline's text about the status, often empty.
	Summary string
	// Failed are the actions that failed, in the order of their end.
	Failed []PipelineAction
}

// PipelineAction is one action of an execution.
type PipelineAction struct {
	Stage, Name string
	// Category is the kind: Source, Build, Test, Deploy, Approval …
	Category types.ActionCategory
	Status   types.ActionExecutionStatus
	// Message is the action's own text, and URL a page with details.
	Message, URL string
}

// PipelineNews is one line to show. Stage and Action are empty if it concerns the
// whole execution.
type PipelineNews struct{ Stage, Action, Text string }

// NoExecutionError is returned when no execution started from a version in time.
type NoExecutionError struct {
	Pipeline, Version string
	Waited            time.Duration
}

func (e *NoExecutionError) Error() string {
	return fmt.Sprintf("pipeline %q: no execution has started from version %s within %s", e.Pipeline, e.Version, e.Waited)
}

// Hint returns the remedy.
func (e *NoExecutionError) Hint() string {
	return "see that the pipeline's source names this bucket and key and detects changes; `aws codepipeline start-pipeline-execution` starts one by hand"
}

// Check returns an error if the pipeline does not exist or may not be read: one
// ListPipelineExecutions. Errors of the SDK are wrapped.
func (f PipelineFollower) Check(ctx context.Context) error {
	_, err := f.API.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: aws.String(f.Name), MaxResults: aws.Int32(1)})
	if err != nil {
		return fmt.Errorf("reading pipeline %q: %w", f.Name, err)
	}
	return nil
}

// Follow finds the newest execution, of the last hundred, that started from an
// object's version, and waits for its end. A round is one ListPipelineExecutions
// until the execution is found, then one GetPipelineExecution and one
// ListActionExecutions for each hundred actions. An execution that fails is not an
// error.
//
// report is called with each line; nil is allowed. If AWS cannot be reached,
// throttles or fails, Follow reports that once and retries until ctx ends. The
// error is a *NoExecutionError, or wraps that of the SDK or of ctx. The run is then
// in the state that was read last.
func (f PipelineFollower) Follow(ctx context.Context, version string, report func(PipelineNews)) (PipelineRun, error) {
	if report == nil {
		report = func(PipelineNews) {}
	}
	w := &follower{PipelineFollower: f, report: report, reported: map[string]string{}}
	if err := w.find(ctx, version); err != nil {
		return w.run, err
	}
	report(PipelineNews{Text: "execution " + w.run.ExecutionID})
	err := w.rounds(ctx, func(ctx context.Context) (bool, error) { return w.round(ctx) })
	return w.run, err
}

type follower struct {
	PipelineFollower
	report   func(PipelineNews)
	run      PipelineRun
	reported map[string]string // by action execution
	waiting  bool              // a failed request has been reported
}

// rounds calls step until it is done.
func (w *follower) rounds(ctx context.Context, step func(context.Context) (bool, error)) error {
	pause := cmp.Or(w.First, time.Second)
	for {
		done, err := step(ctx)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("pipeline %q: %w", w.Name, ctx.Err())
		case err != nil && !transient(err):
			return fmt.Errorf("pipeline %q: %w", w.Name, err)
		case err != nil && !w.waiting:
			w.waiting = true
			w.report(PipelineNews{Text: fmt.Sprintf("CodePipeline request failed, retrying: %v", err)})
		case err == nil:
			w.waiting = false
		}
		if done {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("pipeline %q: %w", w.Name, ctx.Err())
		}
		pause = min(pause+pause/2, max(cmp.Or(w.Max, 10*time.Second), pause))
	}
}

// transient reports whether a later request may succeed.
func transient(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return true // no answer at all
	}
	_, throttled := retry.DefaultThrottleErrorCodes[api.ErrorCode()]
	var answer *smithyhttp.ResponseError
	return throttled || errors.As(err, &answer) && answer.HTTPStatusCode() >= http.StatusInternalServerError
}

// find looks for the execution until it is there.
func (w *follower) find(ctx context.Context, version string) error {
	limit := cmp.Or(w.Appear, 5*time.Minute)
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := w.rounds(bounded, func(ctx context.Context) (bool, error) {
		out, err := w.API.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: aws.String(w.Name), MaxResults: aws.Int32(100)})
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(out.PipelineExecutionSummaries, func(s types.PipelineExecutionSummary) bool {
			return slices.ContainsFunc(s.SourceRevisions, func(r types.SourceRevision) bool { return aws.ToString(r.RevisionId) == version })
		})
		if i < 0 {
			return false, nil
		}
		found := out.PipelineExecutionSummaries[i]
		w.run.ExecutionID, w.run.Status = aws.ToString(found.PipelineExecutionId), found.Status
		return true, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &NoExecutionError{w.Name, version, limit}
	}
	return err
}

// round reads the status first, so that the actions read after an end have all ended.
func (w *follower) round(ctx context.Context) (done bool, err error) {
	out, err := w.API.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: aws.String(w.Name), PipelineExecutionId: aws.String(w.run.ExecutionID)})
	if err != nil {
		return false, err
	}
	if out.PipelineExecution == nil {
		return false, awsclient.Incomplete("CodePipeline", "GetPipelineExecution", "execution "+w.run.ExecutionID)
	}
	actions, err := w.actions(ctx)
	if err != nil {
		return false, err
	}
	w.reportNews(actions)
	w.run.Status, w.run.Summary = out.PipelineExecution.Status, aws.ToString(out.PipelineExecution.StatusSummary)
	switch w.run.Status {
	case types.PipelineExecutionStatusInProgress, types.PipelineExecutionStatusStopping, "":
		return false, nil
	default:
		return true, nil
	}
}

// actions are those of the execution, by the time of their last change.
func (w *follower) actions(ctx context.Context) ([]types.ActionExecutionDetail, error) {
	var all []types.ActionExecutionDetail
	in := &codepipeline.ListActionExecutionsInput{
		PipelineName: aws.String(w.Name),
		Filter:       &types.ActionExecutionFilter{PipelineExecutionId: aws.String(w.run.ExecutionID)},
	}
	err := awsclient.EachPage("CodePipeline ListActionExecutions", func(token *string) (*string, error) {
		in.NextToken = token
		page, err := w.API.ListActionExecutions(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, page.ActionExecutionDetails...)
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b types.ActionExecutionDetail) int {
		return aws.ToTime(a.LastUpdateTime).Compare(aws.ToTime(b.LastUpdateTime))
	})
	return all, nil
}

// reportNews reports the changes of the actions and keeps those that failed.
func (w *follower) reportNews(actions []types.ActionExecutionDetail) {
	w.run.Failed = nil
	for _, d := range actions {
		a := actionOf(d)
		if a.Status == types.ActionExecutionStatusFailed {
			w.run.Failed = append(w.run.Failed, a)
		}
		if id, text := aws.ToString(d.ActionExecutionId), a.text(); w.reported[id] != text {
			w.reported[id] = text
			w.report(PipelineNews{a.Stage, a.Name, text})
		}
	}
}

func actionOf(d types.ActionExecutionDetail) PipelineAction {
	a := PipelineAction{Stage: aws.ToString(d.StageName), Name: aws.ToString(d.ActionName), Status: d.Status}
	if d.Input != nil && d.Input.ActionTypeId != nil {
		a.Category = d.Input.ActionTypeId.Category
	}
	if d.Output == nil || d.Output.ExecutionResult == nil {
		return a
	}
	r := d.Output.ExecutionResult
	a.URL = aws.ToString(r.ExternalExecutionUrl)
	a.Message = aws.ToString(r.ExternalExecutionSummary)
	if e := r.ErrorDetails; e != nil {
		a.Message = cmp.Or(aws.ToString(e.Message), a.Message, aws.ToString(e.Code))
	}
	return a
}

// text is an action's line.
func (a PipelineAction) text() string {
	switch a.Status {
	case types.ActionExecutionStatusInProgress:
		if a.Category == types.ActionCategoryApproval {
			return with("waits for approval", a.URL)
		}
		return with("started", a.URL)
	case types.ActionExecutionStatusFailed:
		return with(with("failed", a.Message), a.URL)
	case types.ActionExecutionStatusSucceeded:
		return "succeeded"
	case types.ActionExecutionStatusAbandoned:
		return "abandoned"
	default:
		return string(a.Status)
	}
}

func with(text, more string) string {
	if more == "" {
		return text
	}
	return text + ": " + more
}
