package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"slipway/internal/fault"
)

// PipelineFailedError is the error for an execution that did not succeed.
type PipelineFailedError struct {
	Pipeline string
	Run      PipelineRun
}

// Error names the actions that failed, with their own words.
func (e *PipelineFailedError) Error() string {
	s := fmt.Sprintf("pipeline %q: execution %s ended %s", e.Pipeline, e.Run.ExecutionID, e.Run.Status)
	if e.Run.Summary != "" {
		s += " (" + e.Run.Summary + ")"
	}
	for _, a := range e.Run.Failed {
		s += fmt.Sprintf("; %s/%s failed", a.Stage, a.Name)
		if a.Message != "" {
			s += ": " + a.Message
		}
	}
	return s
}

// Hint says where more is to be read.
func (e *PipelineFailedError) Hint() string {
	var links []string
	for _, a := range e.Run.Failed {
		if a.URL != "" {
			links = append(links, a.URL)
		}
	}
	switch {
	case len(links) > 0:
		return "read " + strings.Join(links, ", ")
	case e.Run.Status == types.PipelineExecutionStatusSuperseded:
		return "a later change overtook this one in the pipeline: follow that"
	default:
		return ""
	}
}

// Kind returns fault.Build if only actions that build failed, else fault.Rollout.
func (e *PipelineFailedError) Kind() fault.Kind {
	built := func(a PipelineAction) bool {
		return a.Category == types.ActionCategoryBuild || a.Category == types.ActionCategoryTest
	}
	if len(e.Run.Failed) > 0 && !slices.ContainsFunc(e.Run.Failed, func(a PipelineAction) bool { return !built(a) }) {
		return fault.Build
	}
	return fault.Rollout
}
