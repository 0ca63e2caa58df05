package oneoff

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/internal/plain"
)

// The pauses between two requests: each is half as long again as the one before.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 5 * time.Second
	// maxCapacityPause is the longest pause before capacity is asked for again.
	maxCapacityPause = 30 * time.Second
)

// begin finds the task that runs for this rollout already, or starts it. It reports true
// if one has succeeded before. While another task of the family runs, it waits until
// limited ends, which cuts no request: the task might start without being followed.
func (j *job) begin(ctx, limited context.Context) (bool, error) {
	waiting := false
	for pause := firstPause; ; pause = longer(pause, maxPause) {
		found, err := j.look(ctx)
		switch {
		case err != nil:
			return false, err
		case found.own != nil:
			j.out.Task = aws.ToString(found.own.TaskArn)
			j.Host.Infof("%s: following task %s, which an earlier command has started", j.name, id(*found.own))
			return false, nil
		case found.other == nil && found.done():
			j.out.Task, j.out.Status = aws.ToString(found.last.TaskArn), Earlier
			j.Host.Infof("%s: task %s has succeeded for the same images and settings already", j.name, id(*found.last))
			return true, nil
		case found.other == nil:
			return false, j.start(ctx, limited, found.ended)
		}
		if !waiting {
			waiting = true
			j.Host.Infof("%s: waiting for the end of task %s, of another rollout", j.name, id(*found.other))
		}
		if !sleep(limited, pause) {
			return false, &BusyError{j.name, j.Launch.Cluster, aws.ToString(found.other.TaskArn), limited.Err()}
		}
	}
}

// start starts the task. Without capacity it tries again until limited ends.
func (j *job) start(ctx, limited context.Context, ended []string) error {
	in, err := j.request(ended)
	if err != nil {
		return err
	}
	said := false
	for pause := 2 * firstPause; ; pause = longer(pause, maxCapacityPause) {
		out, err := j.ECS.RunTask(ctx, in)
		if err == nil && len(out.Tasks) > 0 {
			j.out.Task = aws.ToString(out.Tasks[0].TaskArn)
			j.Host.Infof("%s: started task %s of task definition %s", j.name, id(out.Tasks[0]), awsname.LastPart(j.arn))
			return nil
		}
		reason, passes := reasonOf(out, err)
		switch {
		case reason == "":
			return j.startedAnyway(ctx, fmt.Errorf("one-off task %s: %w", j.name, err))
		case !passes:
			return &startError{reason}
		case !said:
			said = true
			j.Host.Warnf("%s: the task cannot be started yet, trying again: %s", j.name, plain.Line(reason))
		}
		if !sleep(limited, pause) {
			return j.startedAnyway(ctx, &startError{reason})
		}
	}
}

// reasonOf returns why RunTask has started no task, and reports whether the reason may
// pass. It is empty for an error that a repetition does not change.
func reasonOf(out *awsecs.RunTaskOutput, err error) (reason string, passes bool) {
	switch {
	case err == nil:
		reason = failures(out.Failures)
		return reason, mayPass(reason)
	case mayPass(err.Error()) || awsclient.Retryable(err):
		return err.Error(), true
	}
	return "", false
}

// startedAnyway looks whether a request that was not answered has started the task.
func (j *job) startedAnyway(ctx context.Context, err error) error {
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	if found, looked := j.look(lasting); looked == nil && found.own != nil {
		j.out.Task = aws.ToString(found.own.TaskArn)
		j.Host.Infof("%s: started task %s of task definition %s", j.name, id(*found.own), awsname.LastPart(j.arn))
		return nil
	}
	return err
}

// lookTime bounds the requests after a failure.
const lookTime = 20 * time.Second

// failures returns the reasons of RunTask's failures.
func failures(all []types.Failure) string {
	var out []string
	for _, f := range all {
		out = append(out, strings.TrimSpace(aws.ToString(f.Reason)+" "+aws.ToString(f.Detail)))
	}
	if len(out) == 0 {
		return "ECS started no task and gives no reason"
	}
	return strings.Join(out, "; ")
}

// mayPass reports whether the reason of a failure is one that passes: capacity, an agent
// that is not connected ("Amazon ECS API failure reasons" in the ECS developer guide).
func mayPass(reason string) bool {
	for _, text := range []string{"Capacity is unavailable", "RESOURCE:", "AGENT", "No Container Instances"} {
		if strings.Contains(reason, text) {
			return true
		}
	}
	return false
}

func longer(pause, limit time.Duration) time.Duration { return min(pause+pause/2, limit) }

// sleep pauses, and reports false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
