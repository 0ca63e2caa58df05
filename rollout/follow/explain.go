package follow

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"slipway/internal/awsclient"
	"slipway/internal/plain"
	"slipway/rollout/diagnose"
)

// logsAPI reads a log stream.
type logsAPI interface {
	GetLogEvents(context.Context, *cloudwatchlogs.GetLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error)
}

const (
	// logLines are read of a container's end.
	logLines = 10
	// logPages may be empty before the end of a stream is given up:
	// GetLogEvents answers empty pages in the middle of a stream.
	logPages = 3
)

// Explain reads why a deployment that has ended badly did so: its stopped tasks
// as far as ECS still knows them, the service's events, and the last lines of
// the container that failed. What cannot be read is left out. It takes one
// DescribeServices and one DescribeServiceDeployments or GetDeployment,
// ListTasks and DescribeTasks by the hundred, and up to three GetLogEvents.
func (f Follower) Explain(ctx context.Context, o Outcome) diagnose.Diagnosis {
	tr := newTracker(o.Deployment, func(Progress) {})
	tr.outcome = o
	f.refresh(ctx, []*tracker{tr})
	tr.reportEvents()
	_ = f.readStopped(ctx, tr, true)
	return f.explain(ctx, tr.evidence())
}

// explain adds the log to the evidence and diagnoses.
func (f Follower) explain(ctx context.Context, e diagnose.Evidence) diagnose.Diagnosis {
	f.readLog(ctx, &e)
	return diagnose.Diagnose(e)
}

// readLog reads the last lines of the container that made a task stop, or says
// in LogOf why there are none.
func (f Follower) readLog(ctx context.Context, e *diagnose.Evidence) {
	source, ok := e.LogSource()
	if !ok || f.Logs == nil {
		return
	}
	if source.NoStream != "" {
		e.LogOf = source.NoStream
		return
	}
	e.LogCommand = source.Command()
	lines, err := f.lastLines(ctx, source)
	switch {
	case err != nil && awsclient.Denied(err):
		e.LogOf = "the log of " + source.String() + " may not be read (logs:GetLogEvents on " + source.Group + ")"
	case err != nil:
		e.LogOf = "the log of " + source.String() + " could not be read: " + plain.Line(err.Error())
	case len(lines) == 0:
		e.LogOf = source.String() + " wrote none"
	default:
		e.Log, e.LogOf = lines, source.String()
	}
}

// lastLines reads the last lines of a stream, the oldest first: the last page
// that is not empty. CloudWatch Logs may give fewer lines than there are; those
// are enough.
func (f Follower) lastLines(ctx context.Context, at diagnose.LogSource) ([]string, error) {
	in := &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: &at.Group, LogStreamName: &at.Stream,
		Limit: aws.Int32(logLines), StartFromHead: aws.Bool(false),
	}
	for range logPages {
		out, err := f.Logs.GetLogEvents(ctx, in, func(o *cloudwatchlogs.Options) {
			if at.Region != "" {
				o.Region = at.Region
			}
		})
		if err == nil {
			err = awsclient.CheckList("CloudWatch Logs", "GetLogEvents", "events", out.Events)
		}
		if err != nil {
			return nil, err
		}
		var lines []string
		for _, e := range out.Events {
			lines = append(lines, diagnose.CleanLines(aws.ToString(e.Message))...)
		}
		if len(lines) > 0 {
			return lines[max(0, len(lines)-logLines):], nil
		}
		if aws.ToString(out.NextBackwardToken) == aws.ToString(in.NextToken) {
			break
		}
		in.NextToken = out.NextBackwardToken
	}
	return nil, nil
}
