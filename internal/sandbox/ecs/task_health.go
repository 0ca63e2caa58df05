package ecs

import (
	"fmt"
	"time"
)

// checkHealth plans when a task counts as healthy, or when it is stopped
// because it stays unhealthy.
func (e *region) checkHealth(t *task) {
	grace := time.Duration(t.service.parsed.Grace) * time.Second
	ready, checked := time.Duration(0), false
	for _, c := range t.containers {
		h := c.definition.HealthCheck
		if h == nil {
			continue
		}
		checked = checked || c.definition.IsEssential()
		if !c.never() {
			ready = max(ready, h.Period())
			e.then(t, h.Period(), func() { c.health = "HEALTHY" })
			continue
		}
		e.then(t, h.UnhealthyAfter(), func() { c.health = "UNHEALTHY" })
		if c.definition.IsEssential() {
			e.then(t, max(h.UnhealthyAfter(), grace), func() { e.unhealthy(t) })
			ready = -1
			break
		}
	}
	if t.service.balanced() {
		if !e.register(t, grace) {
			ready = -1
		} else if ready >= 0 {
			ready, checked = max(ready, timeTargetHealthy), true
		}
	}
	switch {
	case ready < 0:
	case !checked:
		e.then(t, timeUnchecked, func() { e.counted(t) })
	default:
		e.then(t, ready, func() { e.counted(t) })
	}
}

// never reports whether a container passes no health check.
func (c *container) never() bool {
	return c.definition.Instruction("health", c.image.Labels) == "never"
}

func (t *task) container(name string) *container {
	for _, c := range t.containers {
		if c.definition.Name == name {
			return c
		}
	}
	return nil
}

// register registers a task with the load balancers. It returns false if the
// task will fail their health checks.
func (e *region) register(t *task, grace time.Duration) bool {
	for _, lb := range t.service.parsed.LoadBalancers {
		e.event(t.service, " registered 1 targets in (target-group %s)", lb.TargetGroupArn)
		if c := t.container(lb.ContainerName); c != nil && c.never() {
			e.then(t, max(grace, timeTargetFailed), func() {
				e.event(t.service, " (port %d) is unhealthy in (target-group %s) due to (reason Health checks failed)", lb.ContainerPort, lb.TargetGroupArn)
				t.failing = true
				e.stop(t, "ServiceSchedulerInitiated", fmt.Sprintf("Task failed ELB health checks in (target-group %s)", lb.TargetGroupArn))
			})
			return false
		}
	}
	return true
}

// unhealthy stops a task of a service. A standalone task goes on.
func (e *region) unhealthy(t *task) {
	if t.service.name == "" {
		return
	}
	e.event(t.service, " (task %s) failed container health checks.", t.id)
	t.failing = true
	e.stop(t, "ServiceSchedulerInitiated", "Task failed container health checks")
}
