package ecs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/internal/awsname"

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
	v := verified{running: countDigests(tasks)}
	own := slices.DeleteFunc(slices.Clone(tasks), func(t types.Task) bool { return !w.serving(aws.ToString(t.StartedBy)) })
	idle := w.service != nil && w.service.DesiredCount == 0
	resolved := map[string]string{}
	if idle || untold(own, w.d.Wants) {
		if resolved, err = f.resolved(ctx, w); err != nil {
			return v, err
		}
	}
	v.own = countDigests(own)
	if len(own) == 0 {
		for container, digest := range resolved {
			v.own[container] = map[string]int{digest: 0}
		}
	}
	v.unhealthy = slices.ContainsFunc(own, func(t types.Task) bool { return t.HealthStatus == types.HealthStatusUnhealthy })
	switch v.reason = w.d.differences(own, resolved); {
	case v.reason != "":
	case idle && len(own) == 0:
		v.reason = w.d.unlike(resolved)
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
	text := countTasks(len(tasks)) + " (" + strings.Join(names, ", ")
	if len(tasks) > most {
		text += " …"
	}
	return text + ")"
}

// serving tells whether a task's startedBy is of the deployment that serves: ours, or
// with CodeDeploy the primary task set where ours is not named.
func (w *tracker) serving(startedBy string) bool {
	if w.byCodeDeploy() && w.taskSet() == nil && w.service != nil {
		set := primarySet(*w.service)
		return set != nil && startedBy == aws.ToString(set.Id)
	}
	return w.ours(startedBy)
}

// runningTasks are the tasks of a service that run; those that start or stop are left out.
func (f Follower) runningTasks(ctx context.Context, s Service) ([]types.Task, error) {
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
	digests, err := revisionDigests(ctx, f.ECS, []string{arn})
	return digests[arn], err
}

// untold tells whether a wanted container's digest is missing in a task.
func untold(tasks []types.Task, wants map[string]DesiredImage) bool {
	for _, t := range tasks {
		for _, c := range t.Containers {
			if _, ok := wants[aws.ToString(c.Name)]; ok && aws.ToString(c.ImageDigest) == "" {
				return true
			}
		}
	}
	return false
}

// differences tells, by container and digest, how many tasks run something else than
// wanted; empty where all is well. resolved stands in for digests that tasks do not tell.
func (d Deployment) differences(tasks []types.Task, resolved map[string]string) string {
	counts := map[string]int{}
	for _, t := range tasks {
		for name, want := range d.Wants {
			if digest, there := digestOf(t, name, resolved); !there {
				counts["there is no container "+name]++
			} else if !want.Has(digest) {
				counts[name+" runs "+shown(digest)+" instead of "+want.first()]++
			}
		}
	}
	var told []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		told = append(told, fmt.Sprintf("%s in %d of %s", what, counts[what], countTasks(len(tasks))))
	}
	return strings.Join(told, "; ")
}

// unlike compares the resolved digests of a revision that has no tasks.
func (d Deployment) unlike(resolved map[string]string) string {
	var told []string
	for _, name := range slices.Sorted(maps.Keys(d.Wants)) {
		if digest := resolved[name]; digest != "" && !d.Wants[name].Has(digest) {
			told = append(told, name+" is to run "+digest+" instead of "+d.Wants[name].first())
		}
	}
	return strings.Join(told, "; ")
}

// digestOf is the digest that a task runs for a container: its own word, else the
// service revision's, else the one in its image reference. It is not there where the task
// has no such container.
func digestOf(t types.Task, name string, resolved map[string]string) (digest string, there bool) {
	for _, c := range t.Containers {
		if aws.ToString(c.Name) != name {
			continue
		}
		if digest := aws.ToString(c.ImageDigest); digest != "" {
			return digest, true
		}
		if resolved[name] != "" {
			return resolved[name], true
		}
		_, digest, _ := strings.Cut(aws.ToString(c.Image), "@")
		return digest, true
	}
	return "", false
}

func (w DesiredImage) first() string {
	if len(w.Digests) == 0 {
		return w.Image
	}
	return w.Digests[0]
}

func shown(digest string) string {
	if digest == "" {
		return "an image whose digest ECS does not tell"
	}
	return digest
}

func countTasks(n int) string {
	if n == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", n)
}
