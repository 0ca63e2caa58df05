package ecs

import (
	"slices"
	"time"

	"slipway/internal/sandbox/ecs/timeline"
)

const (
	// timeAlarmBake is the bake time of a rolling deployment with alarms. ECS
	// computes it from the alarms (guide, "How CloudWatch alarms detect Amazon
	// ECS deployment failures").
	timeAlarmBake = 10 * time.Minute
	// timeAlarm is the time after which a task's alarm goes off.
	timeAlarm = time.Minute
)

// watches reports whether the alarms of a service deployment are monitored.
func (sd *serviceDeployment) watches() bool {
	return sd.settings.Alarms.Enable && sd.underWay() && sd.rollback == nil
}

// baked reports whether a rolling deployment may end: it has no alarms, or its
// tasks have been up for the bake time. It begins the bake time.
func (e *region) baked(sd *serviceDeployment) bool {
	if !sd.settings.Rolling() || !sd.watches() || len(sd.sources) == 0 {
		return true
	}
	if sd.bakesUntil == 0 {
		sd.bakesUntil = e.timeline.Now() + timeline.Time(timeAlarmBake)
		e.after(timeAlarmBake, func() {})
	}
	return e.timeline.Now() >= sd.bakesUntil
}

// watchAlarm plans the alarm that a healthy task sets off, by its instruction.
func (e *region) watchAlarm(t *task) {
	for _, c := range t.containers {
		name := c.definition.Instruction("alarm", c.image.Labels)
		if name == "" {
			continue
		}
		sd := t.service.current()
		e.then(t, timeAlarm, func() {
			if sd != nil && sd.target == t.owner && sd.watches() && slices.Contains(sd.settings.Alarms.Names, name) {
				e.alarm(sd, name)
			}
		})
	}
}

// alarm ends a deployment whose alarm went off: it is rolled back, or without
// rollback stopped.
func (e *region) alarm(sd *serviceDeployment, name string) {
	if sd.status != "IN_PROGRESS" || len(sd.triggered) > 0 {
		return
	}
	sd.triggered = []string{name}
	e.fail(sd.target, "ECS deployment failed: alarm detected.")
	e.event(sd.service, " (deployment %s) deployment failed: alarm detected.", sd.target.id)
	const why = "because CloudWatch alarms were detected."
	if !sd.settings.Alarms.Rollback {
		sd.end("STOPPED", "Service deployment stopped "+why, e.now())
		sd.stopped = e.now()
		return
	}
	e.rollBack(sd, "Service deployment rolled back "+why)
}

// alarms describes the alarms of a service deployment.
func (sd *serviceDeployment) alarms() object {
	names, triggered := append([]string{}, sd.settings.Alarms.Names...), append([]string{}, sd.triggered...)
	status := "DISABLED"
	switch {
	case len(triggered) > 0:
		status = "TRIGGERED"
	case !sd.settings.Alarms.Enable:
	case sd.watches():
		status = "MONITORING"
	default:
		status = "MONITORING_COMPLETE"
	}
	return object{"status": status, "alarmNames": names, "triggeredAlarmNames": triggered}
}
