package ecs

import (
	"time"

	"slipway/internal/sandbox/ecs/process"
	"slipway/internal/sandbox/ecs/timeline"
)

// start has the runner start the containers of a task, whose images are pulled.
func (e *region) start(t *task) {
	digests := map[string]string{}
	for _, c := range t.containers {
		if c.image.Local {
			digests[c.definition.Name] = c.image.Platform
		}
	}
	t.process = e.runner.Start(process.Task{
		ID: t.id, Region: e.Region, Cluster: t.service.cluster.name, Service: t.service.name,
		Definition: t.definition.fields, Digests: digests, Second: e.timeline.ClockDuration(time.Second),
		Output: func(name string, lines []string) {
			_ = e.write(t, t.container(name), e.clock.Now(), lines) // fails if the log group was deleted
		},
	}, func(s process.State) {
		_ = e.do(func() error { e.changed(t, s); return nil })
	})
}

// changed takes over a new state of a task's containers.
func (e *region) changed(t *task, s process.State) {
	for _, c := range t.containers {
		now := s.Containers[c.definition.Name]
		c.last, c.health, c.exitCode, c.reason = now.Status, now.Health, now.ExitCode, now.Reason
	}
	t.version++
	t.ended = s.Ended
	switch {
	case t.desired == "STOPPED":
		if t.ended && t.last == "STOPPING" {
			e.deprovision(t)
		}
	case s.Err != nil:
		t.failing = true
		e.stop(t, "TaskFailedToStart", s.Err.Error())
	case s.Failed:
		t.failing = !t.healthy
		e.stop(t, "EssentialContainerExited", "Essential container in task exited")
	case s.Running:
		e.observe(t)
	}
}

// observe makes a task RUNNING and acts on the health of its containers. A task
// is not stopped as unhealthy before its grace period has passed.
func (e *region) observe(t *task) {
	if t.last != "RUNNING" {
		t.move("RUNNING")
		t.started = e.now()
		grace := time.Duration(t.service.parsed.Grace) * time.Second
		t.graceEnds = e.timeline.Now() + timeline.Time(grace)
		t.awaited = !t.service.balanced() || e.register(t, grace)
	}
	health := t.healthStatus()
	switch {
	case health == "UNHEALTHY":
		e.then(t, time.Duration(t.graceEnds-e.timeline.Now()), func() {
			if t.healthStatus() == "UNHEALTHY" {
				e.unhealthy(t)
			}
		})
		return
	case !t.awaited || health == "UNKNOWN" && t.definition.IsChecked():
		return
	}
	wait := time.Duration(0)
	if t.service.balanced() {
		wait = timeTargetHealthy
	} else if health == "UNKNOWN" {
		wait = timeUnchecked
	}
	t.awaited = false
	e.then(t, wait, func() { e.counted(t) })
}
