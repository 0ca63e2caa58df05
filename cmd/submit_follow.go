package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"

	"slipway/artifact/source"
	"slipway/internal/fault"
)

// follow watches the pipeline's execution and puts how it went into result.
func (o submitOptions) follow(ctx context.Context, w *cli, f source.PipelineFollower, result *submitted) error {
	result.Pipeline = &followedPipeline{Name: o.pipeline}
	if result.VersionID == "" {
		return fault.New(fault.AWS, errors.New("the pipeline cannot be followed: the object has no version by which its execution is known"), "switch the bucket's versioning on and submit a change")
	}
	bounded, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	run, err := f.Follow(bounded, result.VersionID, func(n source.PipelineNews) { tellPipeline(w, o.pipeline, n) })
	result.Pipeline.ExecutionID, result.Pipeline.Status = run.ExecutionID, string(run.Status)
	for _, a := range run.Failed {
		result.Pipeline.Failed = append(result.Pipeline.Failed, failedAction{a.Stage, a.Name, a.Message, a.URL})
	}
	var none *source.NoExecutionError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted while following pipeline %q, which goes on: %w", o.pipeline, ctx.Err())
	case errors.As(err, &none):
		return fault.New(fault.Timeout, err, none.Hint())
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Timeout, fmt.Errorf("pipeline %q: execution %s had not ended after %s", o.pipeline, run.ExecutionID, o.timeout), "it goes on: the same command follows it again, --timeout gives it longer")
	case err != nil:
		return pipelineRefused(err)
	case run.Status == types.PipelineExecutionStatusSucceeded:
		w.Infof("pipeline %s: execution %s succeeded", o.pipeline, run.ExecutionID)
		return nil
	}
	return &source.PipelineFailedError{Pipeline: o.pipeline, Run: run}
}

func tellPipeline(w *cli, pipeline string, n source.PipelineNews) {
	where := pipeline
	if n.Action != "" {
		where = n.Stage + "/" + n.Action
	}
	screen := w.screen()
	if !screen.Lines {
		w.log.Info().Str("action", where).Msg(n.Text)
		return
	}
	screen.Line(0, where, n.Text)
}

// pipelineRefused is refused with the actions that following needs.
func pipelineRefused(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "AccessDenied") {
		return fault.New(fault.AWS, err, "allow codepipeline:ListPipelineExecutions, GetPipelineExecution and ListActionExecutions, or leave --wait out")
	}
	var missing *types.PipelineNotFoundException
	if errors.As(err, &missing) {
		return fault.New(fault.AWS, err, "correct --pipeline or --region; `aws codepipeline list-pipelines` lists the pipelines")
	}
	return refused(err)
}
