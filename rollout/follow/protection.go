package follow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/rollout/ecs"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// protectionAtOnce is the limit of tasks in one GetTaskProtection (API reference).
const protectionAtOnce = 100

// protection is what is known of the old tasks that ECS keeps although all new ones run.
// ECS does not stop a task under scale-in protection until the protection ends or
// expires, after at most 48 hours (developer guide, "Protect your Amazon ECS tasks from
// being terminated by scale-in events").
type protection struct {
	// asked is when ECS was asked last, or when old tasks were first kept; zero while
	// none is.
	asked time.Time
	// holds is true while every old task that ECS keeps is protected.
	holds bool
	err   error
	// unread says why the protection is not known, where it may not be read.
	unread string
}

// protectionPause is the longest pause between two questions about protection.
const protectionPause = time.Minute

// keeps reports whether all new tasks run and ECS keeps old ones that it would stop now:
// In a rolling deployment at any time, in one that shifts traffic from the clean-up on.
func (w *tracker) keeps() bool {
	sd := w.deployment
	switch {
	case w.byCodeDeploy(), w.stuck, !w.allRun(), len(w.others()) == 0, w.drains():
		return false
	case sd == nil:
		return w.plain && rolling(w.d.Service.Strategy)
	case sd.Status != types.ServiceDeploymentStatusInProgress:
		return false
	}
	return rolling(w.strategy(*sd)) || sd.LifecycleStage == types.ServiceDeploymentLifecycleStageCleanUp
}

func rolling(s types.DeploymentStrategy) bool {
	return s == "" || s == types.DeploymentStrategyRolling
}

// guarded reports whether only protected tasks are left of earlier deployments.
func (w *tracker) guarded() bool { return w.protection.holds && w.keeps() }

// refreshProtection asks whether the old tasks that ECS keeps are protected: first when it
// has kept them for a while, as it does until the new ones are healthy, and then again
// and again. It takes one ListTasks and one DescribeTasks and GetTaskProtection for each
// 100 tasks.
func (f Follower) refreshProtection(ctx context.Context, w *tracker) {
	now, p := time.Now(), &w.protection
	switch {
	case w.ended || f.Limit <= 0 || p.unread != "":
		return
	case !w.keeps():
		p.asked, p.holds = time.Time{}, false
		return
	case p.asked.IsZero():
		p.asked = now
	}
	if now.Sub(p.asked) < min(protectionPause, f.Limit/4) {
		return
	}
	kept, protected, err := f.kept(ctx, w)
	if err != nil {
		p.err = err
		return
	}
	p.asked, p.holds = now, kept > 0 && kept == len(protected)
}

// admitProtection takes in what the last question found, and reports it once.
func (w *tracker) admitProtection() {
	p := &w.protection
	err := p.err
	p.err = nil
	switch {
	case w.ended:
	case err != nil && awsclient.Denied(err):
		p.holds, p.unread = false, "task protection may not be read (ecs:GetTaskProtection)"
		w.once(p.unread + ": old tasks under it are taken for tasks that ECS keeps because the new ones are not healthy")
	case err != nil && awsclient.Retryable(err):
		w.once("AWS does not answer, asking again: " + err.Error())
	case err != nil:
		p.holds, p.unread = false, "task protection could not be read: "+err.Error()
		w.once(p.unread)
	case p.holds:
		w.once("all new tasks run, and ECS keeps old ones under task protection: waiting")
	}
}

// kept counts the tasks of earlier deployments that ECS is not stopping, and returns
// those that are protected.
func (f Follower) kept(ctx context.Context, w *tracker) (int, []types.ProtectedTask, error) {
	arns, err := f.listTasks(ctx, w.d.Service, types.DesiredStatusRunning)
	if err != nil {
		return 0, nil, err
	}
	tasks, err := f.describeTasks(ctx, w.d.Service, arns)
	if err != nil {
		return 0, nil, err
	}
	arns = nil
	for _, t := range tasks {
		if !w.ours(aws.ToString(t.StartedBy)) {
			arns = append(arns, aws.ToString(t.TaskArn))
		}
	}
	protected, err := f.protected(ctx, w.d.Service, arns)
	return len(arns), protected, err
}

// protected are those of a service's tasks that are under scale-in protection.
func (f Follower) protected(ctx context.Context, s ecs.Service, arns []string) ([]types.ProtectedTask, error) {
	cluster := cmp.Or(aws.ToString(s.ClusterID()), "default") // the one operation that requires it
	var out []types.ProtectedTask
	for some := range slices.Chunk(arns, protectionAtOnce) {
		answer, err := f.ECS.GetTaskProtection(ctx, &awsecs.GetTaskProtectionInput{Cluster: &cluster, Tasks: some})
		if err == nil {
			err = checkProtection(some, answer)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the task protection of %s: %w", s.Ref, err)
		}
		out = append(out, answer.ProtectedTasks...)
	}
	return slices.DeleteFunc(out, func(t types.ProtectedTask) bool { return !t.ProtectionEnabled }), nil
}

// protectedNames counts protected tasks and names the first few, with the times at which
// their protection expires.
func protectedNames(tasks []types.ProtectedTask) string {
	const most = 5
	tasks = slices.SortedFunc(slices.Values(tasks), func(a, b types.ProtectedTask) int {
		return strings.Compare(aws.ToString(a.TaskArn), aws.ToString(b.TaskArn))
	})
	var names []string
	for _, t := range tasks[:min(most, len(tasks))] {
		name := awsname.LastPart(aws.ToString(t.TaskArn))
		if t.ExpirationDate != nil {
			name += " until " + t.ExpirationDate.UTC().Format(time.RFC3339)
		}
		names = append(names, name)
	}
	text := ecs.TaskCount(len(tasks)) + " (" + strings.Join(names, ", ")
	if len(tasks) > most {
		text += " …"
	}
	return text + ")"
}
