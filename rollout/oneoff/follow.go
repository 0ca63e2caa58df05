package oneoff

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/internal/plain"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
)

const (
	// unseenTime is how long ECS may not show a task that it has started: an answer of
	// DescribeTasks may be older than that of RunTask (RunTask in the API reference).
	unseenTime = 2 * time.Minute
	// stopTime bounds the stop of a task, whose containers have up to two minutes from
	// SIGTERM to SIGKILL (ContainerDefinition in the API reference, stopTimeout).
	stopTime = 3 * time.Minute
)

// follow follows the task to its end. The task goes on if ctx ends, and is stopped if
// limited does before.
func (j *job) follow(ctx, limited context.Context) error {
	log := newTail(j)
	t, err := j.await(limited, log)
	switch {
	case err == nil:
		return j.end(ctx, t, log)
	case ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded):
		return j.stop(ctx, log)
	}
	return j.broken(ctx, err)
}

// await waits until the task has stopped. Lines of its log are reported as they come.
func (j *job) await(ctx context.Context, log *tail) (types.Task, error) {
	began, said, status := time.Now(), false, ""
	for pause := firstPause; ; pause = longer(pause, maxPause) {
		t, found, err := j.describe(ctx)
		switch {
		case ctx.Err() != nil:
			return t, ctx.Err()
		case err != nil && !awsclient.Retryable(err):
			return t, err
		case err != nil && !said:
			said = true
			j.Host.Warnf("%s: task %s cannot be read, trying again: %s", j.name, j.id(), plain.Line(err.Error()))
		case err == nil && !found && time.Since(began) > unseenTime:
			return t, fmt.Errorf("one-off task %s: ECS does not show task %s: how it ended is not known", j.name, j.id())
		case found:
			if now := aws.ToString(t.LastStatus); now != status && now == string(types.DesiredStatusRunning) {
				j.Host.Infof("%s: task %s is running", j.name, j.id())
			}
			status = aws.ToString(t.LastStatus)
			log.read(ctx)
		}
		if hasStopped(t) {
			return t, nil
		}
		if !sleep(ctx, pause) {
			return t, ctx.Err()
		}
	}
}

// describe reads the task. It reports false if ECS does not show it.
func (j *job) describe(ctx context.Context) (types.Task, bool, error) {
	asked := []string{j.out.Task}
	out, err := j.ECS.DescribeTasks(ctx, &awsecs.DescribeTasksInput{Cluster: j.cluster(), Tasks: asked})
	if err == nil {
		err = ecs.CheckTasks(asked, out.Tasks, out.Failures)
	}
	if err != nil {
		return types.Task{}, false, fmt.Errorf("one-off task %s: describing task %s: %w", j.name, j.id(), err)
	}
	if len(out.Tasks) == 0 {
		return types.Task{}, false, nil
	}
	return out.Tasks[0], true, nil
}

// end reports the end of a task.
func (j *job) end(ctx context.Context, t types.Task, log *tail) error {
	log.finish(ctx)
	if succeeded(t) {
		j.out.Status = Succeeded
		j.Host.Infof("%s: task %s has succeeded", j.name, j.id())
		return nil
	}
	return j.failed(Failed, j.reasonOf(t), t, log)
}

// reasonOf returns why a task has not succeeded.
func (j *job) reasonOf(t types.Task) string {
	reason := diagnose.StopReason(t)
	for _, end := range diagnose.ContainerEnds(t) {
		reason += ", " + end
	}
	return reason
}

// stop stops a task that has not ended in time.
func (j *job) stop(ctx context.Context, log *tail) error {
	reason := fmt.Sprintf("the task did not end within %s", j.Timeout)
	j.Host.Warnf("%s: %s: stopping task %s", j.name, reason, j.id())
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	_, err := j.ECS.StopTask(ctx, &awsecs.StopTaskInput{
		Cluster: j.cluster(), Task: &j.out.Task, Reason: aws.String("slipway: " + reason),
	})
	if err != nil {
		return j.failed(TimedOut, reason+" and could not be stopped, so that it goes on: "+plain.Line(err.Error()), types.Task{}, log)
	}
	t, err := j.await(ctx, log)
	log.finish(ctx)
	if err != nil {
		return j.failed(TimedOut, reason+" and is being stopped", t, log)
	}
	return j.failed(TimedOut, reason+" and was stopped", t, log)
}

// failed notes that the task did not succeed, with the diagnosis.
func (j *job) failed(status Status, reason string, t types.Task, log *tail) error {
	j.out.Status, j.out.Reason = status, reason
	e := j.evidence()
	if t.TaskArn != nil {
		e.Stopped = []types.Task{t}
	}
	if e.Log, e.LogOf = log.evidence(); e.LogOf == "" {
		if source, ok := e.LogSource(); ok {
			e.LogOf = source.NoStream
		}
	}
	found := diagnose.Diagnose(e)
	j.out.Diagnosis = &found
	return &FailedError{j.out}
}

// evidence returns the facts for a diagnosis that are known without the task.
func (j *job) evidence() diagnose.Evidence {
	e := ecs.Service{Ref: j.Service, Definition: ecs.Definition{ARN: j.arn, Fields: j.fields}}.Evidence()
	for _, p := range j.Launch.Providers {
		e.Providers = append(e.Providers, aws.ToString(p.CapacityProvider))
	}
	return e
}

func (j *job) id() string { return awsname.AfterSlash(j.out.Task) }
