package follow

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	codetypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/rollout/ecs"
)

// clock counts the time in which the new tasks of a deployment made no
// progress.
type clock struct {
	// updated is when the clock was updated last.
	updated time.Time
	// idle is the time without progress, drained the time in which without a
	// break only old tasks were left to stop.
	idle, drained time.Duration
	// state is why the clock has been standing still since then.
	state clockState
	best  reach
}

// clockState is why the clock stands still.
type clockState int

const (
	// clockRunning: it runs.
	clockRunning clockState = iota
	// clockPaused: a lifecycle hook, or CodeDeploy, waits, and has a time limit
	// of its own.
	clockPaused
	// clockBaking: ECS lets time pass, as the service's settings say.
	clockBaking
	// clockDraining: all new tasks run, and old ones are being stopped, or are
	// protected from being stopped.
	clockDraining
)

// reach is how far a deployment has come. Each part only grows while it
// advances: a task that crashes and starts again does not advance it.
type reach struct {
	phase, running int
	traffic        float64
}

func (r reach) beyond(o reach) bool {
	return r.phase > o.phase || r.running > o.running || r.traffic > o.traffic
}

func (r reach) furthest(o reach) reach {
	return reach{max(r.phase, o.phase), max(r.running, o.running), max(r.traffic, o.traffic)}
}

// updateClock counts the time since the last update.
func (tr *tracker) updateClock(now time.Time) {
	c := &tr.clock
	passed := now.Sub(c.updated)
	at, still := tr.reached(), tr.clockStateNow(now)
	switch {
	case at.beyond(c.best), c.state == clockPaused && still != clockPaused:
		// A deployment that was continued has made progress.
		c.idle, c.drained = 0, 0
	case c.state == clockRunning:
		c.idle += passed
	case c.state == clockDraining:
		c.drained += passed
	}
	if still != clockDraining {
		c.drained = 0
	}
	c.updated, c.state, c.best = now, still, c.best.furthest(at)
}

// stages are in the order in which a deployment goes through them (API
// reference, ServiceDeployment.lifecycleStage).
var stages = []types.ServiceDeploymentLifecycleStage{
	types.ServiceDeploymentLifecycleStageReconcileService, types.ServiceDeploymentLifecycleStagePreScaleUp,
	types.ServiceDeploymentLifecycleStageScaleUp, types.ServiceDeploymentLifecycleStagePostScaleUp,
	types.ServiceDeploymentLifecycleStageTestTrafficShift, types.ServiceDeploymentLifecycleStagePostTestTrafficShift,
	stagePreProduction, types.ServiceDeploymentLifecycleStageProductionTrafficShift,
	types.ServiceDeploymentLifecycleStagePostProductionTrafficShift, types.ServiceDeploymentLifecycleStageBakeTime,
	types.ServiceDeploymentLifecycleStageCleanUp,
}

// reached returns how far the deployment is.
func (tr *tracker) reached() reach {
	var r reach
	if running, _, _, ok := tr.count(); ok {
		r.running = running
	}
	switch sd := tr.deployment; {
	case tr.byCodeDeploy():
		if tr.rollbackInfo != nil {
			r.phase = 2
		} else if tr.codeInfo != nil && tr.codeInfo.Status != codetypes.DeploymentStatusCreated && tr.codeInfo.Status != codetypes.DeploymentStatusQueued {
			r.phase = 1
		}
	case sd == nil || sd.Status == types.ServiceDeploymentStatusPending:
	case sd.Status == types.ServiceDeploymentStatusInProgress:
		r.phase = 2 + slices.Index(stages, sd.LifecycleStage)
		if sd.TargetServiceRevision != nil {
			r.traffic = aws.ToFloat64(sd.TargetServiceRevision.RequestedProductionTrafficWeight)
		}
	default:
		r.phase = 2 + len(stages)
	}
	return r
}

// clockStateNow returns why the time that passes now does not count.
func (tr *tracker) clockStateNow(now time.Time) clockState {
	sd := tr.deployment
	switch {
	case tr.byCodeDeploy():
		if tr.rollbackInfo == nil && tr.codeInfo != nil && tr.codeInfo.Status == codetypes.DeploymentStatusReady {
			return clockPaused
		}
		return clockRunning
	case sd != nil && sd.Status != types.ServiceDeploymentStatusInProgress:
		return clockRunning
	case sd != nil && tr.heldByHook(*sd, now):
		return clockPaused
	case !tr.allRunning():
		return clockRunning
	case sd != nil && tr.isBaking(*sd):
		return clockBaking
	case tr.drainsOldTasks(), tr.onlyProtectedLeft():
		return clockDraining
	}
	return clockRunning
}

// hookLimit is how long ECS waits for a lifecycle hook that does not say (API
// reference, DeploymentLifecycleHookTimeoutConfiguration).
const hookLimit = 1440 * time.Minute

// heldByHook reports whether a lifecycle hook holds the deployment up: a PAUSE
// hook that waits for an answer, or a function that is under way and whose time
// limit is known. ECS itself ends a hook that takes too long; from then on the
// time counts.
func (tr *tracker) heldByHook(sd types.ServiceDeployment, now time.Time) bool {
	for _, h := range sd.LifecycleHookDetails {
		waits := h.Status == types.DeploymentLifecycleHookStatusAwaitingAction
		if !waits && (h.Status != types.DeploymentLifecycleHookStatusInProgress || h.ExpiresAt == nil) {
			continue
		}
		if tr.hookSince.IsZero() {
			tr.hookSince = now
		}
		until := tr.hookSince.Add(hookLimit)
		if h.ExpiresAt != nil {
			until = *h.ExpiresAt
		}
		return now.Before(until)
	}
	tr.hookSince = time.Time{}
	return false
}

// isBaking reports whether ECS lets time pass although all new tasks run: the
// bake time, the steps of LINEAR and CANARY, and the watch over the alarms of a
// rolling deployment (developer guide, "How CloudWatch alarms detect Amazon ECS
// deployment failures").
func (tr *tracker) isBaking(sd types.ServiceDeployment) bool {
	switch sd.LifecycleStage {
	case types.ServiceDeploymentLifecycleStageBakeTime:
		return true
	case types.ServiceDeploymentLifecycleStageProductionTrafficShift, types.ServiceDeploymentLifecycleStageTestTrafficShift:
		return tr.inSteps(sd)
	case "":
		return sd.Alarms != nil && sd.Alarms.Status == types.ServiceDeploymentRollbackMonitorsStatusMonitoring && (tr.drained || len(tr.otherDeployments()) == 0)
	}
	return false
}

// strategy returns the one that ECS deploys with.
func (tr *tracker) strategy(sd types.ServiceDeployment) types.DeploymentStrategy {
	if c := sd.DeploymentConfiguration; c != nil && c.Strategy != "" {
		return c.Strategy
	}
	return tr.d.Service.Strategy
}

func (tr *tracker) inSteps(sd types.ServiceDeployment) bool {
	strategy := tr.strategy(sd)
	return strategy == types.DeploymentStrategyLinear || strategy == types.DeploymentStrategyCanary
}

// allRunning reports whether all tasks of the deployment run.
func (tr *tracker) allRunning() bool {
	running, pending, desired, ok := tr.count()
	return ok && running >= desired && pending == 0
}

// otherDeployments returns the service's deployments that are not ours, as
// DescribeServices lists them.
func (tr *tracker) otherDeployments() []types.Deployment {
	if tr.service == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(tr.service.Deployments), func(e types.Deployment) bool { return tr.isOwn(aws.ToString(e.Id)) })
}

// drainsOldTasks reports whether, all new tasks running, ECS is stopping all
// old ones: it desires no tasks of earlier deployments. Old tasks that it keeps
// because the new ones are not healthy yet are still desired.
func (tr *tracker) drainsOldTasks() bool {
	others := tr.otherDeployments()
	return !tr.notDraining && len(others) > 0 && !slices.ContainsFunc(others, func(e types.Deployment) bool { return e.DesiredCount > 0 })
}

// limit returns how long the deployment may make no progress; 0 for any time.
// The time of steps that are not visible is added: how CodeDeploy moves the
// traffic, and all stages where service deployments may not be read.
func (f Follower) limit(tr *tracker) time.Duration {
	if f.Limit <= 0 || !tr.byCodeDeploy() && !tr.withoutServiceDeployments {
		return f.Limit
	}
	return f.Limit + tr.d.Wait
}

// expire ends the deployments whose time limit has passed.
func (f Follower) expire(ctx context.Context, trackers []*tracker) {
	now := time.Now()
	for _, tr := range trackers {
		tr.updateClock(now)
		limit := f.limit(tr)
		if limit <= 0 || ctx.Err() != nil {
			continue
		}
		if why := tr.blocked(); why == "" {
			tr.blockedSince = time.Time{}
		} else if tr.blockedFor(now) >= min(limit, f.settle()) {
			tr.end(TimedOut, why)
			continue
		}
		if tr.clock.state == clockDraining && tr.clock.drained >= limit {
			f.endDraining(ctx, tr)
		}
		if tr.clock.state == clockRunning && tr.clock.idle >= limit && !tr.ended {
			f.endTimedOut(tr, limit)
		}
	}
	f.finish(ctx, trackers, explainTime)
}

// blocked says why ECS can take no step of the deployment: it has no task yet,
// and all old ones are desired. Those that are not healthy may still be stopped
// for a while. Empty if it can, or is being rolled back.
func (tr *tracker) blocked() string {
	running, pending, _, ok := tr.count()
	if end, _ := tr.stateNow(); end != stateInProgress || tr.service == nil || !ok || running+pending > 0 {
		return ""
	}
	if sd := tr.deployment; sd != nil && sd.Status != types.ServiceDeploymentStatusInProgress {
		return ""
	}
	old := 0
	for _, e := range tr.otherDeployments() {
		old += int(e.RunningCount)
	}
	if old < int(tr.service.DesiredCount) {
		return ""
	}
	return ecs.Blocks(*tr.service)
}

// blockedFor returns how long the deployment has been blocked.
func (tr *tracker) blockedFor(now time.Time) time.Duration {
	if tr.blockedSince.IsZero() {
		tr.blockedSince = now
	}
	return now.Sub(tr.blockedSince)
}

// endTimedOut ends a deployment that makes no progress. One that ECS calls
// successful has only not been verified.
func (f Follower) endTimedOut(tr *tracker, limit time.Duration) {
	end, _ := tr.stateNow()
	if end != stateSuccessful {
		tr.end(TimedOut, join("its new tasks made no progress for "+limit.Round(time.Millisecond).String(), tr.stage, tr.pendingReason, tr.protection.unreadable))
		return
	}
	if tr.pendingFor(f.settle()) {
		tr.end(Unverified, join(tr.pendingReason, "AWS did not answer in time"))
		tr.outcome.Err = errors.New(tr.outcome.Reason)
	}
}

// endDraining ends the following of a deployment of which only old tasks are
// left, which ECS may take long to stop: a deregistration delay, a stopTimeout,
// task protection. Nothing is wrong with it if its own tasks run the desired
// images. Where no old task is left, or a new one is not healthy, the time
// counts from now on.
func (f Follower) endDraining(ctx context.Context, tr *tracker) {
	guarded := tr.onlyProtectedLeft()
	left, err := f.oldTasks(ctx, tr)
	if err != nil {
		tr.taskErr = err
		tr.handleErrors(ctx)
		return
	}
	tr.drained = left == ""
	if left == "" && guarded {
		tr.protection.protectsAll = false // ECS stops them now, or keeps them for another reason
		return
	}
	v, err := f.verify(ctx, tr)
	if err != nil || !v.matches || v.unhealthy || left == "" {
		tr.notDraining, tr.taskErr = true, err
		tr.handleErrors(ctx)
		return
	}
	tr.running, tr.outcome.Own = v.running, v.own
	tr.end(Succeeded, "all new tasks run, and "+left)
}

// oldTasks says which old tasks are left; empty where none is, or where ECS
// keeps some that are not protected.
func (f Follower) oldTasks(ctx context.Context, tr *tracker) (string, error) {
	stopping, err := f.stopping(ctx, tr)
	if err != nil {
		return "", err
	}
	var parts []string
	if len(stopping) > 0 {
		parts = append(parts, "ECS is still stopping old tasks: "+taskNames(stopping))
	}
	if len(stopping) > 0 && tr.drainsOldTasks() {
		return parts[0], nil
	}
	kept, protected, err := f.keptTasks(ctx, tr)
	switch {
	case err != nil && !awsclient.Retryable(err):
		tr.protection.err = err
		tr.handleProtection()
		return "", nil
	case err != nil:
		return "", err
	case kept != len(protected):
		return "", nil
	case kept > 0:
		parts = append(parts, "ECS keeps old tasks under task protection: "+protectedNames(protected))
	}
	return join(parts...), nil
}

// stopping returns the tasks of earlier deployments that ECS is stopping and
// that have not stopped yet.
func (f Follower) stopping(ctx context.Context, tr *tracker) ([]types.Task, error) {
	arns, err := f.listTasks(ctx, tr.d.Service, types.DesiredStatusStopped)
	if err != nil {
		return nil, err
	}
	tasks, err := f.describeTasks(ctx, tr.d.Service, arns)
	return slices.DeleteFunc(tasks, func(t types.Task) bool {
		return tr.isOwn(aws.ToString(t.StartedBy)) || aws.ToString(t.LastStatus) == "STOPPED"
	}), err
}

// Bounds of one round of questions.
const (
	shortestRound = 10 * time.Second
	longestRound  = 2 * time.Minute
)

// untilLimit returns the time until the first clock runs out; 0 where none
// runs.
func (f Follower) untilLimit(trackers []*tracker) time.Duration {
	var least time.Duration
	for _, tr := range trackers {
		limit := f.limit(tr)
		var left time.Duration
		switch {
		case limit <= 0:
			continue
		case tr.clock.state == clockRunning:
			left = limit - tr.clock.idle
		case tr.clock.state == clockDraining:
			left = limit - tr.clock.drained
		default:
			continue
		}
		if left = max(left, time.Millisecond); least == 0 || left < least {
			least = left
		}
	}
	return least
}

// roundTime bounds a round, so that an AWS that accepts a question and never
// answers it does not hold up the clocks.
func (f Follower) roundTime(trackers []*tracker) time.Duration {
	left := f.untilLimit(trackers)
	if left == 0 {
		return longestRound
	}
	return min(max(left, shortestRound), longestRound)
}

// pauseWithinLimit returns a pause that does not go beyond the end of a clock.
func (f Follower) pauseWithinLimit(pause time.Duration, trackers []*tracker) time.Duration {
	if left := f.untilLimit(trackers); left > 0 {
		return min(pause, left)
	}
	return pause
}
