package ecs

import (
	"slices"
	"time"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/image"
	"slipway/internal/sandbox/ecs/process"
	"slipway/internal/sandbox/ecs/taglist"
	"slipway/internal/sandbox/ecs/taskdef"
	"slipway/internal/sandbox/ecs/timeline"
)

// Durations, in ECS's time. A task's own health check, its service's grace
// period and a deployment's configuration add to them.
const (
	timeProvisioning   = 3 * time.Second // a network interface
	timePull           = 7 * time.Second
	timeActivating     = 2 * time.Second  // a target in a target group
	timeTargetHealthy  = 10 * time.Second // two checks of five seconds
	timeTargetFailed   = 20 * time.Second
	timeDeregistration = 30 * time.Second
	timeStopping       = 5 * time.Second
	timeDeprovisioning = time.Second
	// timeUnchecked is how long the scheduler waits before it counts a running
	// task without any health check as healthy (reference of
	// DeploymentConfiguration, minimumHealthyPercent).
	timeUnchecked = 40 * time.Second
)

// stoppedVisible is the time for which a stopped task can be described, on the
// clock: "Stopped tasks only appear in the returned results for at least one
// hour" (guide).
const stoppedVisible = time.Hour

// task is a task of a service, or a standalone one.
type task struct {
	id, arn    string
	service    *service
	owner      *deployment
	definition *taskDefinition
	containers []*container
	tags       taglist.List
	attachment string
	zone       string
	group      string

	desired string // RUNNING, STOPPED
	last    string
	version int
	healthy bool // counts as healthy for the scheduler
	failing bool // its stop counts as a failure of its deployment
	plan    int  // what was planned under an earlier number is void

	protected timeline.Time // the scheduler may not stop it before

	process   process.Process // nil where its containers are played
	ended     bool            // its containers have ended
	graceEnds timeline.Time
	awaited   bool // it counts as healthy once its containers are

	created, pullStarted, pullStopped, started time.Time
	stopping, executionStopped, stopped        time.Time
	stopCode, stopReason                       string
}

type container struct {
	definition taskdef.Container
	id         string
	image      image.Image
	digest     string // as the task reports it
	last       string
	health     string
	exitCode   *int
	reason     string
}

func (t *task) isRunning() bool { return t.desired == "RUNNING" && t.last == "RUNNING" }

func (t *task) isPending() bool {
	return t.desired == "RUNNING" && (t.last == "PROVISIONING" || t.last == "PENDING" || t.last == "ACTIVATING")
}

func (t *task) move(status string) {
	t.last = status
	t.version++
}

// then has do called after a duration unless the task is stopped before.
func (e *region) then(t *task, d time.Duration, do func()) {
	plan := t.plan
	e.after(d, func() {
		if t.plan == plan {
			do()
		}
	})
}

// launch starts a task of a deployment or task set.
func (e *region) launch(d *deployment) *task {
	s := d.service
	t := &task{
		id: awsapi.HexID(16), service: s, owner: d, definition: d.revision.definition,
		desired: "RUNNING", last: "PROVISIONING", version: 1, created: e.now(), attachment: awsapi.UUID(),
		zone: e.zoneFor(d), group: "service:" + s.name,
	}
	t.arn = e.arn("task", s.cluster.name, t.id)
	switch s.parsed.PropagateTags {
	case "SERVICE":
		t.tags = s.tags
	case "TASK_DEFINITION":
		t.tags = t.definition.tags
	}
	for _, c := range t.definition.Containers {
		t.containers = append(t.containers, &container{definition: c, id: awsapi.UUID(), last: "PENDING", health: "UNKNOWN"})
	}
	s.tasks = append(s.tasks, t)
	s.cluster.tasks = append(s.cluster.tasks, t)
	d.updated = e.now()
	e.then(t, timeProvisioning, func() { e.provision(t) })
	return t
}

// provision makes a task PENDING once there is an instance for it.
func (e *region) provision(t *task) {
	if t.service.scalesOut() && e.lacksCapacity(t.service, t.owner.revision) {
		e.then(t, timeUnplaced, func() { e.provision(t) })
		return
	}
	e.prepare(t)
}

// prepare makes a task PENDING: roles, secrets and images are fetched.
func (e *region) prepare(t *task) {
	t.move("PENDING")
	t.pullStarted = e.now()
	e.then(t, timePull, func() { e.pulled(t) })
}

// pulled ends PENDING. The first task that pulls an image resolves its tag for
// good; a container that opted out resolves it each time.
func (e *region) pulled(t *task) {
	if err := t.definition.SetupError(); err != nil {
		e.failToStart(t, nil, err)
		return
	}
	for _, c := range t.containers {
		image, err := e.images.Pull(c.definition.Image, t.owner.revision.pinned[c.definition.Name], t.definition.Architecture())
		if err != nil {
			e.failToStart(t, c, err)
			return
		}
		if c.definition.VersionConsistency != "disabled" {
			t.owner.revision.pinned[c.definition.Name] = image.Digest
		}
		c.image, c.digest = image, image.Digest
		if e.quirks.PlatformDigests {
			c.digest = image.Platform
		}
	}
	t.pullStopped = e.now()
	if !t.service.balanced() {
		e.run(t)
		return
	}
	t.move("ACTIVATING")
	e.then(t, timeActivating, func() { e.run(t) })
}

func (e *region) failToStart(t *task, c *container, err error) {
	t.pullStopped = e.now()
	if c != nil {
		c.reason = err.Error()
	}
	t.failing = true
	e.stop(t, "TaskFailedToStart", err.Error())
}

// run starts the containers of a task, or plays that they start, write their
// logs and follow their instructions.
func (e *region) run(t *task) {
	for _, c := range t.containers {
		if err := e.writeLogs(t, c); err != nil {
			e.failToStart(t, c, err)
			return
		}
	}
	if e.runner != nil {
		e.start(t)
		return
	}
	t.move("RUNNING")
	t.started = e.now()
	for _, c := range t.containers {
		c.last = "RUNNING"
		if x, ok := c.definition.Exit(c.image.Labels); ok {
			e.then(t, x.After, func() { e.exited(t, c, x) })
		}
	}
	e.checkHealth(t)
}

// exited records the exit of a container. That of an essential container stops
// its task.
func (e *region) exited(t *task, c *container, x taskdef.Exit) {
	c.last, c.exitCode, c.reason = "STOPPED", &x.Code, x.Reason
	t.version++
	if c.definition.IsEssential() {
		t.failing = !t.healthy
		e.stop(t, "EssentialContainerExited", "Essential container in task exited")
	}
}

// counted makes a task count as healthy for the scheduler.
func (e *region) counted(t *task) {
	t.healthy = true
	t.owner.crashed = 0
	e.watchAlarm(t)
	if t.service.resets() {
		t.owner.failed = 0
	}
}

// stop stops a task: it leaves the target groups, then its containers stop,
// then its network interface is removed.
func (e *region) stop(t *task, code, reason string) {
	if t.desired == "STOPPED" {
		return
	}
	ran := t.last == "RUNNING"
	t.desired, t.healthy, t.stopCode, t.stopReason = "STOPPED", false, code, reason
	t.stopping = e.now()
	t.plan++
	t.owner.updated = e.now()
	if !ran || !t.service.balanced() {
		e.stopContainers(t, ran)
		return
	}
	t.move("DEACTIVATING")
	e.event(t.service, " has begun draining connections on 1 tasks.")
	for _, lb := range t.service.parsed.LoadBalancers {
		e.event(t.service, " deregistered 1 targets in (target-group %s)", lb.TargetGroupArn)
	}
	wait := timeDeregistration
	if code == "EssentialContainerExited" {
		wait = timeActivating // there are no connections to wait for
	}
	e.then(t, wait, func() { e.stopContainers(t, ran) })
}

// stopContainers stops the containers of a task; those played end by SIGTERM.
func (e *region) stopContainers(t *task, ran bool) {
	t.move("STOPPING")
	if t.process != nil {
		t.process.Stop()
		if t.ended {
			e.deprovision(t)
		}
		return
	}
	wait := timeStopping
	if !ran || t.stopCode == "EssentialContainerExited" {
		wait = timeDeprovisioning
	} else {
		for _, c := range t.containers {
			wait = max(wait, c.definition.StopAfter(c.image.Labels))
		}
	}
	e.then(t, wait, func() {
		for _, c := range t.containers {
			if c.last == "RUNNING" {
				terminated := 143
				c.exitCode = &terminated
			}
			c.last = "STOPPED"
		}
		e.deprovision(t)
	})
}

// deprovision removes the network interface of a task whose containers stopped.
func (e *region) deprovision(t *task) {
	t.executionStopped = e.now()
	t.move("DEPROVISIONING")
	e.then(t, timeDeprovisioning, func() { e.gone(t) })
}

func (e *region) gone(t *task) {
	t.move("STOPPED")
	t.stopped = e.now()
	if t.failing {
		e.taskFailed(t.owner)
	}
	e.forget(t.service)
}

// expired reports whether a stopped task is no longer shown.
func (t *task) expired(now time.Time) bool {
	return t.last == "STOPPED" && now.Sub(t.stopped) >= stoppedVisible
}

// forget removes the tasks of a service that are no longer shown.
func (e *region) forget(s *service) {
	now := e.now()
	gone := func(t *task) bool { return t.expired(now) }
	if slices.ContainsFunc(s.tasks, gone) {
		s.tasks = slices.DeleteFunc(s.tasks, gone)
		s.cluster.tasks = slices.DeleteFunc(s.cluster.tasks, gone)
	}
}

// runningDigests returns the digests of a service's running tasks by container.
func (s *service) runningDigests() map[string][]string {
	out := map[string][]string{}
	for _, t := range s.tasks {
		if t.isRunning() {
			for _, c := range t.containers {
				out[c.definition.Name] = append(out[c.definition.Name], c.digest)
			}
		}
	}
	for _, digests := range out {
		slices.Sort(digests)
	}
	return out
}
