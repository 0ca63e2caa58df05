package ecs

import (
	"fmt"
	"slices"
	"time"

	"slipway/internal/sandbox/ecs/deployconfig"
	"slipway/internal/sandbox/ecs/timeline"
)

// taskCounts counts the tasks of a deployment.
type taskCounts struct {
	running, pending int
	alive            int // to be running: pending, running, healthy or not
	healthy          int
	left             int // not STOPPED yet
}

func (t *taskCounts) add(task *task) {
	t.running += count(task.isRunning())
	t.pending += count(task.isPending())
	t.alive += count(task.desired == "RUNNING")
	t.healthy += count(task.healthy)
	t.left += count(task.last != "STOPPED")
}

func (s *service) counts(d *deployment) (out taskCounts) {
	for _, t := range s.tasks {
		if t.owner == d {
			out.add(t)
		}
	}
	return out
}

// totals counts the tasks of all deployments and task sets, and those of all
// but one.
func (s *service) totals(but *deployment) (all, others taskCounts) {
	for _, t := range s.tasks {
		all.add(t)
		if t.owner != but {
			others.add(t)
		}
	}
	return all, others
}

// schedule does one step of the work for a service, and reports whether there
// was one.
func (e *region) schedule(s *service) bool {
	switch {
	case s.status == "INACTIVE":
		return false
	case s.status == "DRAINING":
		return e.drain(s)
	case s.controller() != "ECS":
		return e.scheduleTaskSets(s)
	}
	sd := s.current()
	if sd.status == "PENDING" {
		return false
	}
	if sd.shifting() {
		return e.shift(sd)
	}
	if did, waits := e.rebalance(s); did || waits {
		return did
	}
	return e.succeedEarly(sd) || e.rollingUpdate(s) || e.finishDeployment(s)
}

// succeedEarly ends a deployment by its early success criteria. The scheduler
// then continues as before.
func (e *region) succeedEarly(sd *serviceDeployment) bool {
	_, others := sd.service.totals(sd.target)
	if sd.status != "IN_PROGRESS" || sd.target.halted || !sd.settings.SucceedsEarly(sd.service.counts(sd.target).healthy, others.left, sd.service.desired) || !e.baked(sd) {
		return false
	}
	e.succeed(sd)
	sd.service.cleansAt = e.timeline.Now() + timeline.Time(timeDeferred)
	e.after(timeDeferred, func() {})
	return true
}

// timeDeferred is the time for which the previous tasks stay after an early
// success. ECS "removes the previous tasks in the background" (reference of
// DeploymentEarlySuccessCriteria).
const timeDeferred = 10 * time.Minute

// drain stops the tasks of a service that is being deleted.
func (e *region) drain(s *service) bool {
	all, _ := s.totals(nil)
	if all.left == 0 {
		s.status, s.deployments, s.sets = "INACTIVE", nil, nil
		return true
	}
	return e.stopTasks(s, all.alive, fmt.Sprintf("Scaling activity initiated by (service %s)", s.name), nil) > 0
}

// rollingUpdate does one step of a rolling update, or keeps up the desired
// count after it. Before and after each step, as many tasks are healthy as the
// minimum demands, unless they failed by themselves, and no more tasks are to
// run than the maximum allows.
func (e *region) rollingUpdate(s *service) bool {
	p, settings := s.primary(), s.current().settings
	maximum := settings.Maximum(s.desired)
	minimum := settings.Minimum(s.desired)
	mine := s.counts(p)
	all, others := s.totals(p)
	room := min(s.desired-mine.alive, maximum-all.alive)
	if e.launchAll(p, room) {
		return true
	}
	reason := "Scaling activity initiated by (deployment " + p.id + ")"
	if surplus := mine.alive - s.desired; surplus > 0 && others.alive == 0 {
		return e.stopTasks(s, surplus, reason, nil) > 0
	}
	if others.alive == 0 || p.halted || e.timeline.Now() < s.cleansAt {
		return false
	}
	// Old tasks go as new ones become healthy, and earlier if there is no room
	// for new ones otherwise. Those that are not healthy go first, so that the
	// ones kept are healthy if there are as many.
	keep := max(0, s.desired-mine.healthy)
	if mine.alive < s.desired && all.alive >= maximum {
		keep = max(0, minimum-mine.healthy)
	}
	if settings.StopsPrevious(mine.healthy, s.desired) {
		keep = 0
	}
	if e.stopTasks(s, others.alive-keep, reason, p) > 0 {
		return true
	}
	return e.reportNoStep(s, mine, others, maximum, minimum)
}

// reportNoStep writes once the event of a deployment that can neither start a
// task nor stop one ("Amazon ECS service event messages" in the guide).
func (e *region) reportNoStep(s *service, mine, others taskCounts, maximum, minimum int) bool {
	sd := s.current()
	if sd.noStep || mine.alive > 0 || others.alive < s.desired || maximum > s.desired || minimum < s.desired {
		return false
	}
	sd.noStep = true
	e.event(s, " was unable to stop or start tasks during a deployment because of the service deployment configuration. "+
		"Update the minimumHealthyPercent or maximumPercent value and try again.")
	return true
}

// launchAll starts up to n tasks of a deployment, unless it is throttled or
// halted or there is no capacity.
func (e *region) launchAll(d *deployment, n int) bool {
	if n <= 0 || d.halted || e.timeline.Now() < d.notBefore {
		return false
	}
	if !d.service.scalesOut() && e.lacksCapacity(d.service, d.revision) {
		e.noCapacity(d)
		return true
	}
	d.service.steady = false
	var tasks []*task
	for range n {
		tasks = append(tasks, e.launch(d))
	}
	e.eventOfTasks(d.service, "started", tasks)
	return true
}

// timeUnplaced is the pause before the scheduler looks for capacity again.
const timeUnplaced = 10 * time.Second

// noCapacity records a task that could not be placed: an event and a failure,
// but no task.
func (e *region) noCapacity(d *deployment) {
	d.service.steady = false
	if d.service.fargate() {
		e.event(d.service, " was unable to place a task. Reason: Capacity is unavailable at this time. "+
			"Please try again later or in a different availability zone. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.")
	} else {
		e.event(d.service, " was unable to place a task because no container instance met all of its requirements. "+
			"Reason: No Container Instances were found in your cluster. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.")
	}
	e.taskFailed(d)
	e.delayLaunches(d, max(timeUnplaced, deployconfig.Throttle(d.crashed)))
}

// delayLaunches keeps a deployment from starting tasks for a time.
func (e *region) delayLaunches(d *deployment, wait time.Duration) {
	if until := e.timeline.Now() + timeline.Time(wait); wait > 0 && until > d.notBefore {
		d.notBefore = until
		e.after(wait, func() {})
	}
}

// stopTasks stops n tasks that are to run, the unhealthy ones first, then the
// oldest. It stops no protected ones and none of the deployment but.
func (e *region) stopTasks(s *service, n int, reason string, but *deployment) int {
	var candidates []*task
	for _, t := range e.unprotected(s.tasks) {
		if t.desired == "RUNNING" && t.owner != but {
			candidates = append(candidates, t)
		}
	}
	slices.SortStableFunc(candidates, func(a, b *task) int { return count(a.healthy) - count(b.healthy) })
	candidates = candidates[:max(0, min(n, len(candidates)))]
	for _, t := range candidates {
		e.stop(t, "ServiceSchedulerInitiated", reason)
	}
	if len(candidates) > 0 {
		s.steady = false
		e.eventOfTasks(s, "stopped", candidates)
	}
	return len(candidates)
}

// finishDeployment ends the deployment of a service that has its desired tasks.
func (e *region) finishDeployment(s *service) bool {
	p, sd := s.primary(), s.current()
	mine := s.counts(p)
	_, others := s.totals(p)
	if sd.status == "ROLLBACK_REQUESTED" {
		return false
	}
	if p.halted || mine.alive != s.desired || mine.healthy != s.desired || others.alive > 0 {
		return false
	}
	if others.left > 0 && !e.quirks.EarlySuccess {
		return false
	}
	if sd.underWay() && !e.baked(sd) {
		return false // the old deployment stays, to be rolled back to
	}
	changed := e.dropOld(s)
	if sd.underWay() {
		e.succeed(sd)
		changed = true
	}
	if !s.steady {
		s.steady, changed = true, true
		e.event(s, " has reached a steady state.")
	}
	return changed
}

// dropOld removes deployments without tasks.
func (e *region) dropOld(s *service) bool {
	before := len(s.deployments)
	s.deployments = slices.DeleteFunc(s.deployments, func(d *deployment) bool {
		return d != s.deployments[0] && s.counts(d).left == 0
	})
	return len(s.deployments) != before
}

func (e *region) succeed(sd *serviceDeployment) {
	now, p := e.now(), sd.service.primary()
	p.rollout, p.completed, p.updated = "COMPLETED", true, now
	p.reason = "ECS deployment " + p.id + " completed."
	e.event(sd.service, " (deployment %s) deployment completed.", p.id)
	sd.shifted = 100
	if sd.status == "ROLLBACK_IN_PROGRESS" {
		sd.end("ROLLBACK_SUCCESSFUL", sd.rollback.reason, now)
		return
	}
	sd.end("SUCCESSFUL", "", now)
}
