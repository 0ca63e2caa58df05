// Package oneoff runs the one-off tasks of a rollout: tasks such as the migration of a
// database, which must succeed before anything is deployed.
//
// A task is known by its startedBy, which follows from what is deployed. So a command that
// was killed and is repeated follows the task that it has started, and does not run one
// again that has succeeded for the same rollout, as long as ECS shows it.
package oneoff

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"

	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
	"slipway/rollout/task"
)

// DefaultTimeout is how long a one-off task may take.
const DefaultTimeout = 15 * time.Minute

// ecsAPI are the requests to ECS that a one-off task takes.
type ecsAPI interface {
	DescribeTaskDefinition(context.Context, *awsecs.DescribeTaskDefinitionInput, ...func(*awsecs.Options)) (*awsecs.DescribeTaskDefinitionOutput, error)
	RegisterTaskDefinition(context.Context, *awsecs.RegisterTaskDefinitionInput, ...func(*awsecs.Options)) (*awsecs.RegisterTaskDefinitionOutput, error)
	ListTasks(context.Context, *awsecs.ListTasksInput, ...func(*awsecs.Options)) (*awsecs.ListTasksOutput, error)
	DescribeTasks(context.Context, *awsecs.DescribeTasksInput, ...func(*awsecs.Options)) (*awsecs.DescribeTasksOutput, error)
	RunTask(context.Context, *awsecs.RunTaskInput, ...func(*awsecs.Options)) (*awsecs.RunTaskOutput, error)
	StopTask(context.Context, *awsecs.StopTaskInput, ...func(*awsecs.Options)) (*awsecs.StopTaskOutput, error)
}

// logsAPI reads a log stream.
type logsAPI interface {
	GetLogEvents(context.Context, *cloudwatchlogs.GetLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error)
}

// host receives what happens.
type host interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// Runner runs one-off tasks.
type Runner struct {
	ECS  ecsAPI
	Logs logsAPI
	Host host
	// Timeout is how long a task may take from now on, the wait for capacity and for
	// another task included; 0 for DefaultTimeout.
	Timeout time.Duration
}

// Task is a one-off task to run.
type Task struct {
	// Definition describes it. Values that only its surroundings know are taken from the
	// newest revision of its family, else from Running.
	Definition task.Definition
	// Service is the ECS service that is deployed afterwards, and Running are the fields
	// of its task definition; nil for a service that does not exist yet.
	Service ecs.Ref
	Running map[string]any
	// Launch is where and how the task runs: as those of the service.
	Launch ecs.Launch
	// Deploys are the images that are deployed afterwards, in any form that is the same
	// for the same images.
	Deploys []string
}

// Status is how a one-off task ended.
type Status string

// The statuses.
const (
	Succeeded Status = "succeeded"
	// Earlier is a task that had succeeded before, for the same images and settings.
	Earlier Status = "already succeeded"
	Failed  Status = "failed"
	// TimedOut is a task that did not end in time and was stopped.
	TimedOut Status = "timed out"
	// Unfollowed is a task that goes on without being followed.
	Unfollowed Status = "interrupted"
)

// Outcome is how a one-off task ended.
type Outcome struct {
	// Service is the service of the compose file.
	Service string
	Status  Status
	// Reason is a sentence about an end that is not a success, without a period.
	Reason string
	// Task and TaskDefinition are ARNs; empty where there is none.
	Task, TaskDefinition string
	// Diagnosis is the cause of a failure, as far as it is known.
	Diagnosis *diagnose.Diagnosis
	Duration  time.Duration
}

// job is a task under way.
type job struct {
	Runner
	Task
	name    string
	started time.Time
	out     Outcome
	// arn and fields are the task definition's, startedBy is the mark of the task.
	arn, startedBy string
	fields         map[string]any
}

// Run registers the definition of a task, unless an equal one is the newest of its family,
// runs the task and follows it to its end. Lines of its log are reported as they come. If
// a task of the same family runs, Run waits for its end.
//
// Calls: one DescribeTaskDefinition; one RegisterTaskDefinition if the definition has
// changed; two ListTasks and one DescribeTasks for each hundred tasks of the family that ECS
// shows; one RunTask, repeated while there is no capacity; then, every half a second to
// five seconds, one DescribeTasks and one GetLogEvents for each page of new lines.
//
// The error of a task that did not succeed is a *FailedError. When ctx is cancelled, the
// task goes on, and the error is a *fault.InterruptedError. Other errors come from AWS.
func (r Runner) Run(ctx context.Context, t Task) (Outcome, error) {
	if r.Timeout <= 0 {
		r.Timeout = DefaultTimeout
	}
	j := &job{Runner: r, Task: t, name: t.Definition.Before, started: time.Now()}
	j.out.Service = j.name
	err := j.run(ctx)
	j.out.Duration = time.Since(j.started)
	return j.out, err
}

func (j *job) run(ctx context.Context) error {
	if err := j.register(ctx); err != nil {
		return j.broken(ctx, err)
	}
	limited, cancel := context.WithTimeout(ctx, j.Timeout)
	defer cancel()
	done, err := j.begin(ctx, limited)
	if err != nil {
		return j.broken(ctx, err)
	}
	if done {
		return nil
	}
	return j.follow(ctx, limited)
}
