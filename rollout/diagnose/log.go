package diagnose

import (
	"slices"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
	"slipway/internal/plain"
	"slipway/internal/shell"
)

// LogSource is the container whose log says most about a failure.
type LogSource struct {
	// Container and Task are its name and the id of its task.
	Container, Task string
	// Group and Stream are the log group and log stream in CloudWatch Logs.
	// Region is their region, empty for the client's own.
	Group, Stream, Region string
	// NoStream says why there is no stream to read; empty where there is one.
	NoStream string
}

// String returns "CONTAINER in task ID".
func (l LogSource) String() string { return l.Container + " in task " + l.Task }

// Command returns the command of the AWS CLI that shows the log.
func (l LogSource) Command() string {
	command := "aws logs tail " + shell.Word(l.Group) + " --log-stream-names " + shell.Word(l.Stream) + " --since 1h"
	if l.Region != "" {
		command += " --region " + shell.Word(l.Region)
	}
	return command
}

// LogSource returns the container whose log to read as evidence: in the newest
// task of the first group, the container that made it stop. It reports whether
// there is one.
func (e Evidence) LogSource() (LogSource, bool) {
	_, newest := e.group()
	if len(newest) == 0 || stoppedByScaling(newest[0]) {
		return LogSource{}, false
	}
	c := e.loggedContainer(newest[0])
	if c == nil {
		return LogSource{}, false
	}
	return e.logSource(newest[0], *c), true
}

// loggedContainer returns the container whose log says most. With failing
// health checks of a load balancer it is the container behind that, else the
// one that made the task stop.
func (e Evidence) loggedContainer(t types.Task) *types.Container {
	if strings.Contains(aws.ToString(t.StoppedReason), "ELB health checks") {
		for _, name := range e.LoadBalanced {
			for i, c := range t.Containers {
				if aws.ToString(c.Name) == name {
					return &t.Containers[i]
				}
			}
		}
	}
	return e.failedContainer(t)
}

// logSource finds the log stream of a container, or says why there is none. The
// task definition is the service's: a rollout registers revisions that differ
// in images only. The awslogs driver names streams prefix/container/task, and
// without a prefix by the container's id in Docker ("Using the awslogs log
// driver" in the ECS developer guide).
func (e Evidence) logSource(t types.Task, c types.Container) LogSource {
	name := aws.ToString(c.Name)
	at := LogSource{Container: name, Task: awsname.AfterSlash(aws.ToString(t.TaskArn))}
	i := slices.IndexFunc(e.Containers, func(d Container) bool { return d.Name == name })
	switch {
	case i < 0:
		at.NoStream = "the task definition that was read has no container " + name
		return at
	case t.StartedAt == nil && c.ExitCode == nil:
		at.NoStream = name + " never ran"
		return at
	}
	options := e.Containers[i].LogOptions
	at.Group, at.Region = options["awslogs-group"], options["awslogs-region"]
	prefix, id := options["awslogs-stream-prefix"], aws.ToString(c.RuntimeId)
	switch driver := e.Containers[i].LogDriver; {
	case driver == "":
		at.NoStream = name + " has no log driver in the task definition"
	case driver != "awslogs":
		at.NoStream = name + " logs with " + driver + ", not with awslogs"
	case at.Group == "":
		at.NoStream = name + " has no awslogs-group in the task definition"
	case prefix != "":
		at.Stream = prefix + "/" + name + "/" + at.Task
	case id != "":
		at.Stream = id
	default:
		at.NoStream = name + " logs to " + at.Group + " without awslogs-stream-prefix, so its log stream is not known"
	}
	return at
}

// lineBytes is the longest line that CleanLines keeps, in bytes. No command
// shows that much. Lines are cut for display only after secrets are redacted: a
// part of a secret would not be recognised.
const lineBytes = 64 << 10

// CleanLines returns the lines of a log message, safe to print: without escape
// sequences and empty lines, control characters escaped, each up to 64 KiB.
func CleanLines(message string) []string {
	var lines []string
	for line := range strings.FieldsFuncSeq(message, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimRightFunc(plain.Unstyled(line), unicode.IsSpace); line == "" {
			continue
		}
		if len(line) > lineBytes {
			line = strings.ToValidUTF8(line[:lineBytes], "") + "…"
		}
		lines = append(lines, line)
	}
	return lines
}
