package oneoff

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/rollout/ecs"
)

// describeAtOnce is the limit of DescribeTasks (API reference).
const describeAtOnce = 100

// seen are the tasks of the family that ECS shows.
type seen struct {
	// own is the task that runs for this rollout, and other one that runs besides or is
	// being stopped; nil for none.
	own, other *types.Task
	// ended are the ARNs of this rollout's tasks that have ended, and last is the task of
	// the family that was created last; nil for none.
	ended []string
	last  *types.Task
}

// look reads the tasks of the family. ECS shows stopped ones for about an hour.
func (j *job) look(ctx context.Context) (seen, error) {
	tasks, err := j.tasks(ctx)
	if err != nil {
		return seen{}, fmt.Errorf("one-off task %s: %w", j.name, err)
	}
	slices.SortStableFunc(tasks, func(a, b types.Task) int {
		return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt))
	})
	var out seen
	for i, t := range tasks {
		own := aws.ToString(t.StartedBy) == j.startedBy
		out.last = &tasks[i]
		switch {
		case hasStopped(t) && own:
			out.ended = append(out.ended, aws.ToString(t.TaskArn))
		case hasStopped(t):
		case own && aws.ToString(t.DesiredStatus) == string(types.DesiredStatusRunning):
			out.own = &tasks[i]
		default:
			out.other = &tasks[i]
		}
	}
	return out, nil
}

// done reports whether the last task of the family was this rollout's and succeeded.
func (s seen) done() bool {
	return s.last != nil && slices.Contains(s.ended, aws.ToString(s.last.TaskArn)) && succeeded(*s.last)
}

// tasks describes the tasks of the family.
func (j *job) tasks(ctx context.Context) ([]types.Task, error) {
	var arns []string
	for _, status := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		listed, err := j.list(ctx, status)
		if err != nil {
			return nil, err
		}
		arns = append(arns, listed...)
	}
	slices.Sort(arns)
	var tasks []types.Task
	for some := range slices.Chunk(slices.Compact(arns), describeAtOnce) {
		out, err := j.ECS.DescribeTasks(ctx, &awsecs.DescribeTasksInput{Cluster: j.cluster(), Tasks: some})
		if err == nil {
			err = ecs.CheckTasks(some, out.Tasks, out.Failures)
		}
		if err != nil {
			return nil, fmt.Errorf("describing the tasks of family %s: %w", j.Definition.Input.Family, err)
		}
		tasks = append(tasks, out.Tasks...)
	}
	return tasks, nil
}

// list lists the tasks of the family with a desired status. It goes by the family: with a
// filter for startedBy, ListTasks takes no other (API reference).
func (j *job) list(ctx context.Context, status types.DesiredStatus) ([]string, error) {
	family := j.Definition.Input.Family
	in := &awsecs.ListTasksInput{Cluster: j.cluster(), Family: &family, DesiredStatus: status}
	var arns []string
	err := awsclient.EachPage("ECS ListTasks of "+family, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := j.ECS.ListTasks(ctx, in)
		if err == nil {
			err = awsclient.CheckList("ECS", "ListTasks", "tasks", out.TaskArns)
		}
		if err != nil {
			return nil, err
		}
		arns = append(arns, out.TaskArns...)
		return out.NextToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the tasks of family %s: %w", family, err)
	}
	return arns, nil
}

func (j *job) cluster() *string {
	if j.Launch.Cluster == "" {
		return nil
	}
	return &j.Launch.Cluster
}

func hasStopped(t types.Task) bool {
	return aws.ToString(t.LastStatus) == string(types.DesiredStatusStopped)
}

// succeeded reports whether a task that has stopped did so by itself, with an exit code 0
// of all its containers. One that somebody stopped has not, whatever its exit code.
func succeeded(t types.Task) bool {
	return t.StopCode == types.TaskStopCodeEssentialContainerExited && len(t.Containers) > 0 &&
		!slices.ContainsFunc(t.Containers, func(c types.Container) bool { return c.ExitCode == nil || *c.ExitCode != 0 })
}

// id returns the id of a task.
func id(t types.Task) string { return awsname.AfterSlash(aws.ToString(t.TaskArn)) }
