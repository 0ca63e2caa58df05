package ecs

import "slipway/internal/sandbox/ecs/deployconfig"

// taskFailed counts a task that failed to start or to become healthy. It ends a
// deployment that has too many.
func (e *region) taskFailed(d *deployment) {
	d.failed++
	d.crashed++
	e.delayLaunches(d, deployconfig.Throttle(d.crashed))
	s := d.service
	if d.set != nil || d != s.primary() {
		return
	}
	sd := s.current()
	if d.failed < sd.settings.Threshold(s.desired) {
		return
	}
	switch {
	case sd.status == "IN_PROGRESS" && (sd.settings.Breaker.Enable || sd.stage != ""):
		e.trip(sd)
	case sd.status == "ROLLBACK_IN_PROGRESS":
		e.rollbackFailed(sd)
	}
}

// resets reports whether a healthy task resets the count of failures, which is
// the default of DeploymentCircuitBreaker's resetOnHealthyTask.
func (s *service) resets() bool {
	sd := s.current()
	return sd == nil || sd.settings.Breaker.Reset == nil || *sd.settings.Breaker.Reset
}

// trip is the circuit breaker. Without rollback the deployment "doesn't launch
// any new tasks" (reference of Deployment); its running tasks go on.
func (e *region) trip(sd *serviceDeployment) {
	p := sd.target
	sd.tripped = true
	e.fail(p, "ECS deployment circuit breaker: tasks failed to start.")
	e.event(sd.service, " (deployment %s) deployment failed: tasks failed to start.", p.id)
	const why = "because the circuit breaker threshold was exceeded."
	if sd.settings.Breaker.Enable && !sd.settings.Breaker.Rollback {
		sd.end("STOPPED", "Service deployment stopped "+why, e.now())
		sd.stopped = e.now()
		return
	}
	e.rollBack(sd, "Service deployment rolled back "+why)
}

func (e *region) fail(d *deployment, reason string) {
	d.rollout, d.reason, d.halted, d.updated = "FAILED", reason, true, e.now()
}

// rollBack makes the last deployment that is "in a COMPLETED state" the primary
// again, with the digests that its revision has (guide, "How the Amazon ECS
// deployment circuit breaker detects failures"). Without one, "the deployment
// is stalled".
func (e *region) rollBack(sd *serviceDeployment, reason string) {
	s := sd.service
	back := s.lastCompleted()
	if back == nil {
		e.fail(sd.target, sd.target.reason)
		sd.end("ROLLBACK_FAILED", reason+" There is no completed deployment to roll back to.", e.now())
		return
	}
	now := e.now()
	old := s.deployments[0]
	old.status, old.halted, old.updated = "ACTIVE", true, now
	s.deployments[0] = back
	for i, d := range s.deployments[1:] {
		if d == back {
			s.deployments[i+1] = old
		}
	}
	back.status, back.rollout, back.failed, back.crashed, back.halted, back.updated = "PRIMARY", "IN_PROGRESS", 0, 0, false, now
	back.reason = "ECS deployment rolling back to deploymentId " + back.id + "."
	if sd.tripped {
		back.reason = "ECS deployment circuit breaker: rolling back to deploymentId " + back.id + "."
	}
	s.definition, s.steady = back.revision.definition, false
	sd.status, sd.reason, sd.updated = "ROLLBACK_IN_PROGRESS", reason, now
	sd.rollback = &rollbackRecord{reason, now, back.revision.arn}
	sd.shifted = 0
	e.event(s, " rolling back to deployment %s.", back.id)
}

func (e *region) rollbackFailed(sd *serviceDeployment) {
	p := sd.service.primary()
	e.fail(p, "ECS deployment circuit breaker: tasks failed to start.")
	e.event(sd.service, " (deployment %s) deployment failed: tasks failed to start.", p.id)
	sd.end("ROLLBACK_FAILED", sd.rollback.reason+" The rollback failed: tasks failed to start.", e.now())
}
