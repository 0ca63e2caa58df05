package ecs

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	printing "slipway/internal/plain"
	"slipway/internal/shell"
)

// logsAPI reads a log stream.
type logsAPI interface {
	GetLogEvents(context.Context, *cloudwatchlogs.GetLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error)
}

const (
	// logLines are read of a container's end, each up to lineBytes. No command shows that
	// much: who prints a line cuts it when secrets are replaced, for a part of one would
	// not be recognised.
	logLines  = 10
	lineBytes = 64 << 10
	// logPages may be empty before the end of a stream is given up: GetLogEvents answers
	// empty pages in the middle of a stream.
	logPages = 3
)

// Explain reads why a deployment that has ended badly did so: its stopped tasks as far as
// ECS still knows them, the service's events, and the last lines of the container that
// failed. What cannot be read is left out. It takes one DescribeServices and one
// DescribeServiceDeployments or GetDeployment, ListTasks and DescribeTasks by the hundred, and up to three GetLogEvents.
func (f Follower) Explain(ctx context.Context, o Outcome) Diagnosis {
	w := newTracker(o.Deployment, func(Progress) {})
	w.outcome = o
	f.refresh(ctx, []*tracker{w})
	w.reportEvents()
	_ = f.readStopped(ctx, w, true)
	return f.explain(ctx, w.evidence())
}

// explain adds the log to the evidence and diagnoses.
func (f Follower) explain(ctx context.Context, e Evidence) Diagnosis {
	if _, newest := e.group(); len(newest) > 0 && !expected(newest[0]) {
		f.readLog(ctx, &e, newest[0])
	}
	return Diagnose(e)
}

// stream is where a container's log is.
type stream struct{ group, name, region string }

// readLog reads the last lines of the container that made a task stop, or says in LogOf
// why there are none.
func (f Follower) readLog(ctx context.Context, e *Evidence, t types.Task) {
	c := e.logged(t)
	if c == nil || f.Logs == nil {
		return
	}
	at, why := e.streamOf(t, *c)
	if why != "" {
		e.LogOf = why
		return
	}
	e.tail = "aws logs tail " + shell.Word(at.group) + " --log-stream-names " + shell.Word(at.name) + " --since 1h"
	if at.region != "" {
		e.tail += " --region " + shell.Word(at.region)
	}
	lines, err := f.lastLines(ctx, at)
	of := aws.ToString(c.Name) + " in task " + tail(aws.ToString(t.TaskArn))
	switch {
	case err != nil && denied(err):
		e.LogOf = "the log of " + of + " may not be read (logs:GetLogEvents on " + at.group + ")"
	case err != nil:
		e.LogOf = "the log of " + of + " could not be read: " + oneLine(err.Error())
	case len(lines) == 0:
		e.LogOf = of + " wrote none"
	default:
		e.Log, e.LogOf = lines, of
	}
}

// logged is the container whose log tells most: the one that made the task stop, and with
// failing health checks of a load balancer the one behind it.
func (e Evidence) logged(t types.Task) *types.Container {
	if strings.Contains(aws.ToString(t.StoppedReason), "ELB health checks") {
		for _, lb := range e.Service.Raw.LoadBalancers {
			for i, c := range t.Containers {
				if aws.ToString(c.Name) == aws.ToString(lb.ContainerName) {
					return &t.Containers[i]
				}
			}
		}
	}
	return e.culprit(t)
}

// logView is a container's log configuration.
type logView struct {
	name, driver string
	options      map[string]string
}

func logViews(d Definition) []logView {
	var views []logView
	for _, c := range d.containers() {
		v := logView{name: text(c, "name"), options: map[string]string{}}
		config, _ := c["logConfiguration"].(map[string]any)
		v.driver = text(config, "logDriver")
		options, _ := config["options"].(map[string]any)
		for name := range options {
			v.options[name] = text(options, name)
		}
		views = append(views, v)
	}
	return views
}

// streamOf is the log stream of a container, or why there is none. The task definition is
// the service's: what a roll-out registers differs in images only. The awslogs driver names
// streams prefix/container/task, and without a prefix by the container's id in Docker
// ("Using the awslogs log driver" in the ECS developer guide).
func (e Evidence) streamOf(t types.Task, c types.Container) (stream, string) {
	name := aws.ToString(c.Name)
	views := logViews(e.Service.Definition)
	i := slices.IndexFunc(views, func(v logView) bool { return v.name == name })
	switch {
	case i < 0:
		return stream{}, "the task definition that was read has no container " + name
	case t.StartedAt == nil && c.ExitCode == nil:
		return stream{}, name + " never ran"
	case views[i].driver == "":
		return stream{}, name + " has no log driver in the task definition"
	case views[i].driver != "awslogs":
		return stream{}, name + " logs with " + views[i].driver + ", which cannot be read from here"
	}
	o := views[i].options
	at := stream{group: o["awslogs-group"], region: o["awslogs-region"]}
	switch id := tail(aws.ToString(t.TaskArn)); {
	case at.group == "":
		return stream{}, name + " has no awslogs-group in the task definition"
	case o["awslogs-stream-prefix"] != "":
		at.name = o["awslogs-stream-prefix"] + "/" + name + "/" + id
	case aws.ToString(c.RuntimeId) != "":
		at.name = *c.RuntimeId
	default:
		return stream{}, name + " logs to " + at.group + " without awslogs-stream-prefix, so its stream cannot be told"
	}
	return at, ""
}

// lastLines reads the last lines of a stream, the oldest first: the last page that is not
// empty. CloudWatch Logs may give fewer lines than there are; those are enough.
func (f Follower) lastLines(ctx context.Context, at stream) ([]string, error) {
	in := &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: &at.group, LogStreamName: &at.name,
		Limit: aws.Int32(logLines), StartFromHead: aws.Bool(false),
	}
	for range logPages {
		out, err := f.Logs.GetLogEvents(ctx, in, func(o *cloudwatchlogs.Options) {
			if at.region != "" {
				o.Region = at.region
			}
		})
		if err == nil {
			err = listed("CloudWatch Logs", "GetLogEvents", "events", out.Events)
		}
		if err != nil {
			return nil, err
		}
		var lines []string
		for _, e := range out.Events {
			lines = append(lines, cleanLines(aws.ToString(e.Message))...)
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

// cleanLines makes a log message safe to print: lines without escape sequences, control
// characters escaped, cut at lineBytes, empty ones left out.
func cleanLines(message string) []string {
	var lines []string
	for line := range strings.FieldsFuncSeq(message, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimRightFunc(printable(line), unicode.IsSpace); line == "" {
			continue
		}
		if len(line) > lineBytes {
			line = strings.ToValidUTF8(line[:lineBytes], "") + "…"
		}
		lines = append(lines, line)
	}
	return lines
}

// oneLine makes a text of AWS fit into a line.
func oneLine(s string) string {
	return strings.Join(strings.Fields(printable(s)), " ")
}

// blanks are what separates words and lines.
var blanks = strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")

// printable takes out escape sequences and escapes what else a terminal acts on.
func printable(s string) string { return printing.Text(blanks.Replace(printing.Strip(s))) }
