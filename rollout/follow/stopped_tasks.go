package follow

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
)

// describeAtOnce is the limit of DescribeTasks (API reference).
const describeAtOnce = 100

// stoppedTasks are the stopped tasks of a deployment, collected while they are
// visible: ECS forgets them after about an hour.
type stoppedTasks struct {
	// known are tasks, by ARN, that need no describing again.
	known map[string]bool
	// tasks are the deployment's own. The first reported of them were reported.
	tasks    []types.Task
	reported int
	// unfinished says that some of them are still being stopped.
	unfinished bool
}

// readStopped describes the stopped tasks that are not known yet: one ListTasks
// for each 100 stopped tasks of the service, one DescribeTasks for each 100 new
// ones. Tasks that are still being stopped wait for their exit codes, unless
// this is the last look.
func (f Follower) readStopped(ctx context.Context, tr *tracker, last bool) error {
	arns, err := f.listTasks(ctx, tr.d.Service, types.DesiredStatusStopped)
	if err != nil {
		return err
	}
	arns = slices.DeleteFunc(arns, func(arn string) bool { return tr.stopped.known[arn] })
	tasks, err := f.describeTasks(ctx, tr.d.Service, arns)
	if err != nil {
		return err
	}
	tr.stopped.unfinished = false
	for _, t := range tasks {
		tr.stopped.add(t, tr.isOwn(aws.ToString(t.StartedBy)), last)
	}
	slices.SortStableFunc(tr.stopped.tasks[tr.stopped.reported:], func(a, b types.Task) int {
		return diagnose.StopTime(a).Compare(diagnose.StopTime(b))
	})
	return nil
}

func (s *stoppedTasks) add(t types.Task, ours, last bool) {
	if ours && !last && aws.ToString(t.LastStatus) != string(types.DesiredStatusStopped) {
		s.unfinished = true
		return
	}
	s.known[aws.ToString(t.TaskArn)] = true
	if ours {
		s.tasks = append(s.tasks, t)
	}
}

// reportStopped reports the tasks that were found stopped since it was called
// last.
func (tr *tracker) reportStopped() {
	for _, t := range tr.stopped.tasks[tr.stopped.reported:] {
		tr.event(Stopped, stoppedLine(t))
	}
	tr.stopped.reported = len(tr.stopped.tasks)
}

// stoppedLine says in a line why a task stopped.
func stoppedLine(t types.Task) string {
	id := awsname.AfterSlash(aws.ToString(t.TaskArn))
	if len(id) > 8 {
		id = id[:8]
	}
	return "task " + id + ": " + join(append([]string{diagnose.StopReason(t)}, diagnose.ContainerEnds(t)...)...)
}

// listTasks lists all tasks of a service with a desired status.
func (f Follower) listTasks(ctx context.Context, s ecs.Service, status types.DesiredStatus) ([]string, error) {
	arns, err := ecs.ListTasks(ctx, f.ECS, s, status)
	if err != nil {
		return nil, fmt.Errorf("listing the tasks of %s: %w", s.Ref, err)
	}
	return arns, nil
}

// describeTasks describes tasks by the hundred; those that ECS forgot meanwhile
// are left out.
func (f Follower) describeTasks(ctx context.Context, s ecs.Service, arns []string) ([]types.Task, error) {
	var tasks []types.Task
	for some := range slices.Chunk(arns, describeAtOnce) {
		out, err := f.ECS.DescribeTasks(ctx, &awsecs.DescribeTasksInput{Cluster: s.ClusterID(), Tasks: some})
		if err != nil {
			return nil, fmt.Errorf("describing the tasks of %s: %w", s.Ref, err)
		}
		if err := ecs.CheckTasks(some, out.Tasks, out.Failures); err != nil {
			return nil, fmt.Errorf("describing the tasks of %s: %w", s.Ref, err)
		}
		tasks = append(tasks, out.Tasks...)
	}
	return tasks, nil
}
