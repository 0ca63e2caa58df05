package follow

import (
	"context"
	"errors"
	"slices"
	"time"

	"slipway/internal/awsclient"

	"github.com/aws/aws-sdk-go-v2/aws"
	codetypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// clock counts the time in which the new tasks of a deployment made no progress.
type clock struct {
	// looked is when it was wound last.
	looked time.Time
	// idle is the time without progress, drained the time in which without a break only
	// old tasks were left to stop.
	idle, drained time.Duration
	// still is why the clock stands still since it was wound last.
	still stillness
	best  reach
}

// stillness is why no progress is no failure.
type stillness int

const (
	// moving: it is one.
	moving stillness = iota
	// pausing: a lifecycle hook, or CodeDeploy, waits, and has a time limit of its own.
	pausing
	// baking: ECS lets time pass, as the service's settings say.
	baking
	// draining: all new tasks run, and old ones are being stopped, or are protected from
	// being stopped.
	draining
)

// reach is how far a deployment has come. Each part only grows while it advances: a task
// that crashes and starts again is no progress.
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

// wind takes in what the last round saw.
func (w *tracker) wind(now time.Time) {
	c := &w.clock
	passed := now.Sub(c.looked)
	at, still := w.reached(), w.stillness(now)
	switch {
	case at.beyond(c.best), c.still == pausing && still != pausing:
		// A deployment that was continued has made progress.
		c.idle, c.drained = 0, 0
	case c.still == moving:
		c.idle += passed
	case c.still == draining:
		c.drained += passed
	}
	if still != draining {
		c.drained = 0
	}
	c.looked, c.still, c.best = now, still, c.best.furthest(at)
}

// stages are in the order in which a deployment goes through them (API reference,
// ServiceDeployment.lifecycleStage).
var stages = []types.ServiceDeploymentLifecycleStage{
	types.ServiceDeploymentLifecycleStageReconcileService, types.ServiceDeploymentLifecycleStagePreScaleUp,
	types.ServiceDeploymentLifecycleStageScaleUp, types.ServiceDeploymentLifecycleStagePostScaleUp,
	types.ServiceDeploymentLifecycleStageTestTrafficShift, types.ServiceDeploymentLifecycleStagePostTestTrafficShift,
	stagePreProduction, types.ServiceDeploymentLifecycleStageProductionTrafficShift,
	types.ServiceDeploymentLifecycleStagePostProductionTrafficShift, types.ServiceDeploymentLifecycleStageBakeTime,
	types.ServiceDeploymentLifecycleStageCleanUp,
}

// reached is how far the deployment is.
func (w *tracker) reached() reach {
	var r reach
	if running, _, _, ok := w.count(); ok {
		r.running = running
	}
	switch sd := w.deployment; {
	case w.byCodeDeploy():
		if w.undo != nil {
			r.phase = 2
		} else if w.code != nil && w.code.Status != codetypes.DeploymentStatusCreated && w.code.Status != codetypes.DeploymentStatusQueued {
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

// stillness is why the time that passes now is not the new tasks' fault.
func (w *tracker) stillness(now time.Time) stillness {
	sd := w.deployment
	switch {
	case w.byCodeDeploy():
		if w.undo == nil && w.code != nil && w.code.Status == codetypes.DeploymentStatusReady {
			return pausing
		}
		return moving
	case sd != nil && sd.Status != types.ServiceDeploymentStatusInProgress:
		return moving
	case sd != nil && w.hooked(*sd, now):
		return pausing
	case !w.allRun():
		return moving
	case sd != nil && w.bakes(*sd):
		return baking
	case w.drains(), w.guarded():
		return draining
	}
	return moving
}

// hookLimit is how long ECS waits for a lifecycle hook that does not say (API reference,
// DeploymentLifecycleHookTimeoutConfiguration).
const hookLimit = 1440 * time.Minute

// hooked reports whether a lifecycle hook holds the deployment up: a PAUSE hook that waits
// for an answer, or a function that is under way and whose time limit is known. ECS itself
// ends a hook that takes too long; from then on the time counts.
func (w *tracker) hooked(sd types.ServiceDeployment, now time.Time) bool {
	for _, h := range sd.LifecycleHookDetails {
		waits := h.Status == types.DeploymentLifecycleHookStatusAwaitingAction
		if !waits && (h.Status != types.DeploymentLifecycleHookStatusInProgress || h.ExpiresAt == nil) {
			continue
		}
		if w.hookSince.IsZero() {
			w.hookSince = now
		}
		until := w.hookSince.Add(hookLimit)
		if h.ExpiresAt != nil {
			until = *h.ExpiresAt
		}
		return now.Before(until)
	}
	w.hookSince = time.Time{}
	return false
}

// bakes reports whether ECS lets time pass although all new tasks run: the bake time, the
// steps of LINEAR and CANARY, and the watch over the alarms of a rolling deployment
// (developer guide, "How CloudWatch alarms detect Amazon ECS deployment failures").
func (w *tracker) bakes(sd types.ServiceDeployment) bool {
	switch sd.LifecycleStage {
	case types.ServiceDeploymentLifecycleStageBakeTime:
		return true
	case types.ServiceDeploymentLifecycleStageProductionTrafficShift, types.ServiceDeploymentLifecycleStageTestTrafficShift:
		return w.inSteps(sd)
	case "":
		return sd.Alarms != nil && sd.Alarms.Status == types.ServiceDeploymentRollbackMonitorsStatusMonitoring && len(w.others()) == 0
	}
	return false
}

// strategy is the one that ECS deploys with.
func (w *tracker) strategy(sd types.ServiceDeployment) types.DeploymentStrategy {
	if c := sd.DeploymentConfiguration; c != nil && c.Strategy != "" {
		return c.Strategy
	}
	return w.d.Service.Strategy
}

func (w *tracker) inSteps(sd types.ServiceDeployment) bool {
	strategy := w.strategy(sd)
	return strategy == types.DeploymentStrategyLinear || strategy == types.DeploymentStrategyCanary
}

// allRun reports whether all tasks of the deployment run.
func (w *tracker) allRun() bool {
	running, pending, desired, ok := w.count()
	return ok && running >= desired && pending == 0
}

// others are the service's deployments that are not ours, as DescribeServices lists them.
func (w *tracker) others() []types.Deployment {
	if w.service == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(w.service.Deployments), func(e types.Deployment) bool { return w.ours(aws.ToString(e.Id)) })
}

// drains reports whether, all new tasks running, ECS is stopping all old ones: of the
// deployments before ours it wants no tasks. Old tasks that it keeps, because the new ones
// are not healthy yet, are still wanted.
func (w *tracker) drains() bool {
	others := w.others()
	return !w.stuck && len(others) > 0 && !slices.ContainsFunc(others, func(e types.Deployment) bool { return e.DesiredCount > 0 })
}

// limit is how long the deployment may make no progress; 0 is no limit. What cannot be
// seen is added: how CodeDeploy moves the traffic, and all stages where service
// deployments may not be read.
func (f Follower) limit(w *tracker) time.Duration {
	if f.Limit <= 0 || !w.byCodeDeploy() && !w.plain {
		return f.Limit
	}
	return f.Limit + w.d.Wait
}

// expire ends the deployments whose time is up.
func (f Follower) expire(ctx context.Context, watches []*tracker) {
	now := time.Now()
	for _, w := range watches {
		w.wind(now)
		limit := f.limit(w)
		if limit <= 0 || ctx.Err() != nil {
			continue
		}
		if w.clock.still == draining && w.clock.drained >= limit {
			f.outlast(ctx, w)
		}
		if w.clock.still == moving && w.clock.idle >= limit && !w.ended {
			f.giveUp(w, limit)
		}
	}
	f.finish(ctx, watches, explainTime)
}

// giveUp ends a deployment that makes no progress. One that ECS calls successful has only
// not been verified.
func (f Follower) giveUp(w *tracker, limit time.Duration) {
	end, _ := w.outcomeNow()
	if end != arrived {
		w.end(TimedOut, join("its new tasks made no progress for "+limit.Round(time.Millisecond).String(), w.stage, w.doubt, w.protection.unread))
		return
	}
	if w.waited(f.settle()) {
		w.end(Differs, join(w.doubt, "AWS did not answer in time"))
		w.outcome.Err = errors.New(w.outcome.Reason)
	}
}

// outlast ends the following of a deployment of which only old tasks are left, which ECS
// may take long to stop: a deregistration delay, a stopTimeout, task protection. Nothing
// is wrong with it if its own tasks run what is wanted. Where no old task is left, or a
// new one is not healthy, the time counts from now on.
func (f Follower) outlast(ctx context.Context, w *tracker) {
	guarded := w.guarded()
	left, err := f.oldTasks(ctx, w)
	if err != nil {
		w.taskErr = err
		w.admit(ctx)
		return
	}
	if left == "" && guarded {
		w.protection.holds = false // ECS stops them now, or keeps them for another reason
		return
	}
	v, err := f.verify(ctx, w)
	if err != nil || !v.same || v.unhealthy || left == "" {
		w.stuck, w.taskErr = true, err
		w.admit(ctx)
		return
	}
	w.running, w.outcome.Own = v.running, v.own
	w.end(Succeeded, "all new tasks run, and "+left)
}

// oldTasks says which old tasks are left; empty where none is, or where ECS keeps some
// that are not protected.
func (f Follower) oldTasks(ctx context.Context, w *tracker) (string, error) {
	stopping, err := f.stopping(ctx, w)
	if err != nil {
		return "", err
	}
	var parts []string
	if len(stopping) > 0 {
		parts = append(parts, "ECS has only old ones left to stop: "+taskNames(stopping))
	}
	if len(stopping) > 0 && w.drains() {
		return parts[0], nil
	}
	kept, protected, err := f.kept(ctx, w)
	switch {
	case err != nil && !awsclient.Retryable(err):
		w.protection.err = err
		w.admitProtection()
		return "", nil
	case err != nil:
		return "", err
	case kept != len(protected):
		return "", nil
	case kept > 0:
		parts = append(parts, "ECS keeps old ones under task protection: "+protectedNames(protected))
	}
	return join(parts...), nil
}

// stopping returns the tasks of earlier deployments that ECS is stopping and that have not
// stopped yet.
func (f Follower) stopping(ctx context.Context, w *tracker) ([]types.Task, error) {
	arns, err := f.listTasks(ctx, w.d.Service, types.DesiredStatusStopped)
	if err != nil {
		return nil, err
	}
	tasks, err := f.describeTasks(ctx, w.d.Service, arns)
	return slices.DeleteFunc(tasks, func(t types.Task) bool {
		return w.ours(aws.ToString(t.StartedBy)) || aws.ToString(t.LastStatus) == "STOPPED"
	}), err
}

// Bounds of one round of questions.
const (
	shortestRound = 10 * time.Second
	longestRound  = 2 * time.Minute
)

// left is the time until the first clock runs out; 0 where none runs.
func (f Follower) left(watches []*tracker) time.Duration {
	var least time.Duration
	for _, w := range watches {
		limit := f.limit(w)
		var left time.Duration
		switch {
		case limit <= 0:
			continue
		case w.clock.still == moving:
			left = limit - w.clock.idle
		case w.clock.still == draining:
			left = limit - w.clock.drained
		default:
			continue
		}
		if left = max(left, time.Millisecond); least == 0 || left < least {
			least = left
		}
	}
	return least
}

// roundTime bounds a round, so that an AWS that accepts a question and never answers it
// does not hold up the clocks.
func (f Follower) roundTime(watches []*tracker) time.Duration {
	left := f.left(watches)
	if left == 0 {
		return longestRound
	}
	return min(max(left, shortestRound), longestRound)
}

// shortened is a pause that does not go beyond the end of a clock.
func (f Follower) shortened(pause time.Duration, watches []*tracker) time.Duration {
	if left := f.left(watches); left > 0 {
		return min(pause, left)
	}
	return pause
}
