package follow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/rollout/ecs"
)

// protectionAtOnce is the limit of tasks in one GetTaskProtection (API
// reference).
const protectionAtOnce = 100

// protection is the state of the old tasks that ECS keeps although all new ones
// run. ECS does not stop a task under scale-in protection until the protection
// ends or expires, after at most 48 hours (developer guide, "Protect your
// Amazon ECS tasks from being terminated by scale-in events").
type protection struct {
	// checked is when ECS was asked last, or when old tasks were first kept;
	// zero while none are.
	checked time.Time
	// protectsAll is true while every old task that ECS keeps is protected.
	protectsAll bool
	err         error
	// unreadable says why the protection is not known, where it may not be
	// read.
	unreadable string
}

// protectionPause is the longest pause between two questions about protection.
const protectionPause = time.Minute

// keepsOldTasks reports whether all new tasks run and ECS keeps old ones that
// it would stop now: In a rolling deployment at any time, in one that shifts
// traffic from the clean-up on.
func (tr *tracker) keepsOldTasks() bool {
	sd := tr.deployment
	switch {
	case tr.byCodeDeploy(), tr.notDraining, !tr.allRunning(), len(tr.otherDeployments()) == 0, tr.drainsOldTasks():
		return false
	case sd == nil:
		return tr.withoutServiceDeployments && rolling(tr.d.Service.Strategy)
	case sd.Status != types.ServiceDeploymentStatusInProgress:
		return false
	}
	return rolling(tr.strategy(*sd)) || sd.LifecycleStage == types.ServiceDeploymentLifecycleStageCleanUp
}

func rolling(s types.DeploymentStrategy) bool {
	return s == "" || s == types.DeploymentStrategyRolling
}

// onlyProtectedLeft reports whether only protected tasks are left of earlier
// deployments.
func (tr *tracker) onlyProtectedLeft() bool { return tr.protection.protectsAll && tr.keepsOldTasks() }

// refreshProtection asks whether the old tasks that ECS keeps are protected:
// first when it has kept them for a while, as it does until the new ones are
// healthy, and then again and again. It takes one ListTasks and one
// DescribeTasks and GetTaskProtection for each 100 tasks.
func (f Follower) refreshProtection(ctx context.Context, tr *tracker) {
	now, p := time.Now(), &tr.protection
	switch {
	case tr.ended || f.Limit <= 0 || p.unreadable != "":
		return
	case !tr.keepsOldTasks():
		p.checked, p.protectsAll = time.Time{}, false
		return
	case p.checked.IsZero():
		p.checked = now
	}
	if now.Sub(p.checked) < min(protectionPause, f.Limit/4) {
		return
	}
	kept, protected, err := f.keptTasks(ctx, tr)
	if err != nil {
		p.err = err
		return
	}
	p.checked, p.protectsAll = now, kept > 0 && kept == len(protected)
}

// handleProtection handles the result of the last request, and reports it once.
func (tr *tracker) handleProtection() {
	p := &tr.protection
	err := p.err
	p.err = nil
	switch {
	case tr.ended:
	case err != nil && awsclient.Denied(err):
		p.protectsAll, p.unreadable = false, "reading task protection is not allowed (ecs:GetTaskProtection)"
		tr.reportOnce(p.unreadable + ": protected old tasks count as tasks that ECS keeps because the new ones are not healthy")
	case err != nil && awsclient.Retryable(err):
		tr.reportOnce("a request to AWS failed, trying again: " + err.Error())
	case err != nil:
		p.protectsAll, p.unreadable = false, "could not read the task protection: "+err.Error()
		tr.reportOnce(p.unreadable)
	case p.protectsAll:
		tr.reportOnce("all new tasks run, and ECS keeps old tasks under task protection: waiting")
	}
}

// keptTasks counts the tasks of earlier deployments that ECS is not stopping,
// and returns those that are protected.
func (f Follower) keptTasks(ctx context.Context, tr *tracker) (int, []types.ProtectedTask, error) {
	arns, err := f.listTasks(ctx, tr.d.Service, types.DesiredStatusRunning)
	if err != nil {
		return 0, nil, err
	}
	tasks, err := f.describeTasks(ctx, tr.d.Service, arns)
	if err != nil {
		return 0, nil, err
	}
	arns = nil
	for _, t := range tasks {
		if !tr.isOwn(aws.ToString(t.StartedBy)) {
			arns = append(arns, aws.ToString(t.TaskArn))
		}
	}
	protected, err := f.protectedTasks(ctx, tr.d.Service, arns)
	return len(arns), protected, err
}

// protectedTasks returns those of a service's tasks that are under scale-in
// protection.
func (f Follower) protectedTasks(ctx context.Context, s ecs.Service, arns []string) ([]types.ProtectedTask, error) {
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

// protectedNames counts protected tasks and names the first few, with the times
// at which their protection expires.
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
