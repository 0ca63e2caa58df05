package follow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
	"slipway/rollout/ecs"
)

// verification is the result of comparing the digests of tasks with the desired
// ones.
type verification struct {
	// matches: all running images are the desired ones.
	matches bool
	// mayMatchLater: they are not, but may be later.
	mayMatchLater bool
	reason        string
	running       map[string]map[string]int
	// own is Outcome.Own; unhealthy says that a task of the deployment fails
	// its health checks.
	own       map[string]map[string]int
	unhealthy bool
}

// verify compares the digests of the running tasks with the desired ones. It
// takes one ListTasks and one DescribeTasks for each 100 tasks, and one
// DescribeServiceRevisions where tasks do not report their digests or none are
// desired.
func (f Follower) verify(ctx context.Context, tr *tracker) (verification, error) {
	tasks, err := f.runningTasks(ctx, tr.d.Service)
	if err != nil {
		return verification{}, err
	}
	v := verification{running: ecs.CountDigests(tasks)}
	own := slices.DeleteFunc(slices.Clone(tasks), func(t types.Task) bool { return !tr.isServing(aws.ToString(t.StartedBy)) })
	idle := tr.service != nil && tr.service.DesiredCount == 0
	resolved := map[string]string{}
	if idle || digestsMissing(own, tr.d.Wants) {
		if resolved, err = f.resolved(ctx, tr); err != nil {
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
	switch v.reason = tr.d.Differences(own, resolved); {
	case v.reason != "":
	case idle && len(own) == 0:
		v.reason = revisionDifferences(tr.d, resolved)
	case len(own) == 0:
		v.mayMatchLater, v.reason = true, "none of its tasks is running"
	}
	v.matches = v.reason == ""
	if v.matches && !tr.byCodeDeploy() {
		// CodeDeploy keeps the old task set as long as its configuration says.
		v.reason = tr.remainder(tasks, own)
	}
	if v.matches && idle && len(resolved) == 0 && len(tr.d.Wants) > 0 {
		v.reason = "the desired count is 0 and ECS reports no digests, so the images were not verified"
	}
	return v, nil
}

// remainder says what a successful deployment leaves ECS to do, with early
// success criteria (API reference, DeploymentEarlySuccessCriteria) or protected
// tasks: new tasks to start and old ones to stop.
func (tr *tracker) remainder(tasks, own []types.Task) string {
	var parts []string
	if tr.service != nil && len(own) > 0 && len(own) < int(tr.service.DesiredCount) {
		parts = append(parts, fmt.Sprintf("%d of %d new tasks run, ECS starts the others", len(own), tr.service.DesiredCount))
	}
	old := slices.DeleteFunc(slices.Clone(tasks), func(t types.Task) bool { return tr.isServing(aws.ToString(t.StartedBy)) })
	if len(old) > 0 {
		parts = append(parts, "ECS still has to stop tasks of an earlier deployment: "+taskNames(old))
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

// isServing reports whether a task's startedBy is of the deployment that
// receives traffic: this one, or with CodeDeploy the primary task set where
// ours is not named.
func (tr *tracker) isServing(startedBy string) bool {
	if tr.byCodeDeploy() && tr.taskSet() == nil && tr.service != nil {
		set := ecs.PrimaryTaskSet(*tr.service)
		return set != nil && startedBy == aws.ToString(set.Id)
	}
	return tr.isOwn(startedBy)
}

// runningTasks returns the tasks of a service that run; those that start or
// stop are left out.
func (f Follower) runningTasks(ctx context.Context, s ecs.Service) ([]types.Task, error) {
	arns, err := f.listTasks(ctx, s, types.DesiredStatusRunning)
	if err != nil {
		return nil, err
	}
	tasks, err := f.describeTasks(ctx, s, arns)
	return slices.DeleteFunc(tasks, func(t types.Task) bool { return aws.ToString(t.LastStatus) != "RUNNING" }), err
}

// Pending returns the tasks of a service that do not run yet, if it has a capacity
// provider whose managed scaling they may wait for. It returns none where they
// cannot be read. It takes ListTasks and DescribeTasks by the hundred.
func (f Follower) Pending(ctx context.Context, s ecs.Service) []types.Task {
	if len(s.Evidence().OwnProviders()) == 0 {
		return nil
	}
	arns, err := f.listTasks(ctx, s, types.DesiredStatusRunning)
	if err != nil {
		return nil
	}
	tasks, _ := f.describeTasks(ctx, s, arns) // what was read helps
	return slices.DeleteFunc(tasks, func(t types.Task) bool { return aws.ToString(t.LastStatus) == "RUNNING" })
}

// resolved returns the digests that ECS gave to the deployment's service
// revision, by container; empty where the revision is not known.
func (f Follower) resolved(ctx context.Context, tr *tracker) (map[string]string, error) {
	arn := tr.revision()
	if arn == "" && tr.service != nil {
		for _, r := range tr.service.CurrentServiceRevisions {
			if awsname.AfterSlash(aws.ToString(r.Arn)) == awsname.AfterSlash(tr.d.ID) || len(tr.service.CurrentServiceRevisions) == 1 {
				arn = aws.ToString(r.Arn)
			}
		}
	}
	digests, err := ecs.RevisionDigests(ctx, f.ECS, []string{arn})
	return digests[arn], err
}

// digestsMissing reports whether a task lacks the digest of a container in
// wants.
func digestsMissing(tasks []types.Task, wants map[string]ecs.DesiredImage) bool {
	for _, t := range tasks {
		for _, c := range t.Containers {
			if _, ok := wants[aws.ToString(c.Name)]; ok && aws.ToString(c.ImageDigest) == "" {
				return true
			}
		}
	}
	return false
}

// revisionDifferences compares the resolved digests of a revision that has no
// tasks.
func revisionDifferences(d ecs.Deployment, resolved map[string]string) string {
	var told []string
	for _, name := range slices.Sorted(maps.Keys(d.Wants)) {
		if digest := resolved[name]; digest != "" && !d.Wants[name].Has(digest) {
			told = append(told, name+" will run "+digest+" instead of "+d.Wants[name].DigestOrImage())
		}
	}
	return strings.Join(told, "; ")
}
