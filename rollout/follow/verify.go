package follow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/internal/awsname"
	"slipway/rollout/ecs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// verified is what the tasks say of a deployment that ECS calls successful.
type verified struct {
	// same: everything that runs is what was wanted.
	same bool
	// later: it is not, but asking again may find it so.
	later   bool
	reason  string
	running map[string]map[string]int
	// own is Outcome.Own; unhealthy says that a task of the deployment fails its health
	// checks.
	own       map[string]map[string]int
	unhealthy bool
}

// verify compares the digests of the running tasks with the wanted ones. It takes one
// ListTasks and one DescribeTasks for each 100 tasks, and one DescribeServiceRevisions
// where tasks do not tell their digests or none are desired.
func (f Follower) verify(ctx context.Context, w *tracker) (verified, error) {
	tasks, err := f.runningTasks(ctx, w.d.Service)
	if err != nil {
		return verified{}, err
	}
	v := verified{running: ecs.CountDigests(tasks)}
	own := slices.DeleteFunc(slices.Clone(tasks), func(t types.Task) bool { return !w.serving(aws.ToString(t.StartedBy)) })
	idle := w.service != nil && w.service.DesiredCount == 0
	resolved := map[string]string{}
	if idle || untold(own, w.d.Wants) {
		if resolved, err = f.resolved(ctx, w); err != nil {
			return v, err
		}
	}
	v.own = ecs.CountDigests(own)
	if len(own) == 0 {
		for container, digest := range resolved {
			v.own[container] = map[string]int{digest: 0}
		}
	}
	v.unhealthy = slices.ContainsFunc(own, func(t types.Task) bool { return t.HealthStatus == types.HealthStatusUnhealthy })
	switch v.reason = w.d.Differences(own, resolved); {
	case v.reason != "":
	case idle && len(own) == 0:
		v.reason = unlike(w.d, resolved)
	case len(own) == 0:
		v.later, v.reason = true, "no task of it is running"
	}
	v.same = v.reason == ""
	if v.same && !w.byCodeDeploy() {
		// CodeDeploy keeps the old task set as long as its configuration says.
		v.reason = w.remainder(tasks, own)
	}
	if v.same && idle && len(resolved) == 0 && len(w.d.Wants) > 0 {
		v.reason = "the desired count is 0 and ECS tells no digests, so there was nothing to verify"
	}
	return v, nil
}

// remainder says what a successful deployment leaves ECS to do, with early success
// criteria (API reference, DeploymentEarlySuccessCriteria) or protected tasks: new tasks
// to start and old ones to stop.
func (w *tracker) remainder(tasks, own []types.Task) string {
	var parts []string
	if w.service != nil && len(own) > 0 && len(own) < int(w.service.DesiredCount) {
		parts = append(parts, fmt.Sprintf("%d of %d new tasks run, ECS starts the others", len(own), w.service.DesiredCount))
	}
	old := slices.DeleteFunc(slices.Clone(tasks), func(t types.Task) bool { return w.serving(aws.ToString(t.StartedBy)) })
	if len(old) > 0 {
		parts = append(parts, "ECS has still to stop tasks of an earlier deployment: "+taskNames(old))
	}
	return join(parts...)
}

// taskNames counts tasks and names the first few, as ECS's console does.
func taskNames(tasks []types.Task) string {
	const most = 5
	var names []string
	for _, t := range tasks[:min(most, len(tasks))] {
		names = append(names, awsname.LastPart(aws.ToString(t.TaskArn)))
	}
	slices.Sort(names)
	text := ecs.TaskCount(len(tasks)) + " (" + strings.Join(names, ", ")
	if len(tasks) > most {
		text += " …"
	}
	return text + ")"
}

// serving tells whether a task's startedBy is of the deployment that serves: ours, or
// with CodeDeploy the primary task set where ours is not named.
func (w *tracker) serving(startedBy string) bool {
	if w.byCodeDeploy() && w.taskSet() == nil && w.service != nil {
		set := ecs.PrimaryTaskSet(*w.service)
		return set != nil && startedBy == aws.ToString(set.Id)
	}
	return w.ours(startedBy)
}

// runningTasks are the tasks of a service that run; those that start or stop are left out.
func (f Follower) runningTasks(ctx context.Context, s ecs.Service) ([]types.Task, error) {
	arns, err := f.listTasks(ctx, s, types.DesiredStatusRunning)
	if err != nil {
		return nil, err
	}
	tasks, err := f.describeTasks(ctx, s, arns)
	return slices.DeleteFunc(tasks, func(t types.Task) bool { return aws.ToString(t.LastStatus) != "RUNNING" }), err
}

// resolved are the digests that ECS gave to the deployment's service revision, by
// container; empty where the revision is not known.
func (f Follower) resolved(ctx context.Context, w *tracker) (map[string]string, error) {
	arn := w.revision()
	if arn == "" && w.service != nil {
		for _, r := range w.service.CurrentServiceRevisions {
			if awsname.AfterSlash(aws.ToString(r.Arn)) == awsname.AfterSlash(w.d.ID) || len(w.service.CurrentServiceRevisions) == 1 {
				arn = aws.ToString(r.Arn)
			}
		}
	}
	digests, err := ecs.RevisionDigests(ctx, f.ECS, []string{arn})
	return digests[arn], err
}

// untold tells whether a wanted container's digest is missing in a task.
func untold(tasks []types.Task, wants map[string]ecs.DesiredImage) bool {
	for _, t := range tasks {
		for _, c := range t.Containers {
			if _, ok := wants[aws.ToString(c.Name)]; ok && aws.ToString(c.ImageDigest) == "" {
				return true
			}
		}
	}
	return false
}

// unlike compares the resolved digests of a revision that has no tasks.
func unlike(d ecs.Deployment, resolved map[string]string) string {
	var told []string
	for _, name := range slices.Sorted(maps.Keys(d.Wants)) {
		if digest := resolved[name]; digest != "" && !d.Wants[name].Has(digest) {
			told = append(told, name+" is to run "+digest+" instead of "+d.Wants[name].DigestOrImage())
		}
	}
	return strings.Join(told, "; ")
}
