package oneoff

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"slipway/internal/awsclient"
	"slipway/internal/plain"
	"slipway/rollout/diagnose"
)

const (
	// lastLines of a log are kept for the diagnosis.
	lastLines = 10
	// maxPages are read at once; those that are left come next time.
	maxPages = 100
	// lagTime is how long lines may come after the task has stopped, by the experience
	// with CloudWatch Logs.
	lagTime = time.Second
)

// tail is the log stream of a task's container as far as it was read.
type tail struct {
	job    *job
	source diagnose.LogSource
	token  *string
	last   []string
	// broken is why the log is not read anymore; empty while it is.
	broken string
}

// newTail returns the log of the task. The awslogs driver names streams
// prefix/container/task ("Using the awslogs log driver" in the ECS developer guide).
func newTail(j *job) *tail {
	l := &tail{job: j, broken: "no log is read"}
	for _, c := range j.evidence().Containers {
		prefix, group := c.LogOptions["awslogs-stream-prefix"], c.LogOptions["awslogs-group"]
		if c.LogDriver == "awslogs" && prefix != "" && group != "" && j.Logs != nil {
			l.broken = ""
			l.source = diagnose.LogSource{
				Container: c.Name, Task: j.id(), Group: group, Region: c.LogOptions["awslogs-region"],
				Stream: prefix + "/" + c.Name + "/" + j.id(),
			}
			break
		}
	}
	return l
}

// read reports the lines that are new.
func (l *tail) read(ctx context.Context) {
	for range maxPages {
		if l.broken != "" {
			return
		}
		more, err := l.page(ctx)
		if err != nil {
			l.fail(err)
			return
		}
		if !more {
			return
		}
	}
}

// page reads one page, and reports whether there may be more.
func (l *tail) page(ctx context.Context) (bool, error) {
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &l.source.Group, LogStreamName: &l.source.Stream, StartFromHead: aws.Bool(true), NextToken: l.token}
	out, err := l.job.Logs.GetLogEvents(ctx, in, func(o *cloudwatchlogs.Options) {
		if l.source.Region != "" {
			o.Region = l.source.Region
		}
	})
	if err == nil {
		err = awsclient.CheckList("CloudWatch Logs", "GetLogEvents", "events", out.Events)
	}
	if err != nil {
		return false, err
	}
	for _, e := range out.Events {
		for _, line := range diagnose.CleanLines(aws.ToString(e.Message)) {
			l.job.Host.Infof("%s | %s", l.job.name, line)
			l.last = append(l.last, line)
		}
	}
	l.last = l.last[max(0, len(l.last)-lastLines):]
	more := aws.ToString(out.NextForwardToken) != aws.ToString(l.token)
	l.token = out.NextForwardToken
	return more, nil
}

// fail notes that the log could not be read. A stream that is not there yet is tried
// again, and so is one after a failure that passes.
func (l *tail) fail(err error) {
	var missing *logstypes.ResourceNotFoundException
	if errors.As(err, &missing) || !awsclient.Denied(err) {
		return
	}
	l.broken = "the log of " + l.source.String() + " may not be read (logs:GetLogEvents on " + l.source.Group + ")"
	l.job.Host.Warnf("%s: %s", l.job.name, plain.Text(l.broken))
}

// finish reports the lines that come after the end of the task.
func (l *tail) finish(ctx context.Context) {
	l.read(ctx)
	if l.broken == "" && sleep(ctx, lagTime) {
		l.read(ctx)
	}
}

// evidence returns the last lines and their source, or why there are none; neither if the
// log driver has no stream to read.
func (l *tail) evidence() (lines []string, of string) {
	switch {
	case l.source.Stream == "":
		return nil, ""
	case l.broken != "":
		return l.last, l.broken
	case len(l.last) == 0:
		return nil, l.source.String() + " wrote none"
	}
	return l.last, l.source.String()
}
