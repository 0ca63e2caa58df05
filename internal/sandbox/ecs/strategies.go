package ecs

import "slipway/internal/sandbox/ecs/deployconfig"

// shifting reports whether a service deployment moves traffic from a blue
// revision to a green one, which scales up fully first. The first deployment of
// a service has no blue revision; a rollback only has to stop the green tasks.
func (sd *serviceDeployment) shifting() bool {
	return sd.stage != "" && (sd.status == "IN_PROGRESS" || sd.status == "ROLLBACK_REQUESTED")
}

// shift scales blue and green as the stage of a deployment demands.
func (e *region) shift(sd *serviceDeployment) bool {
	s, green := sd.service, sd.target
	blue := s.lastCompleted()
	if sd.stage == "CLEAN_UP" {
		return e.cleanUp(sd)
	}
	if blue != nil && e.launchAll(blue, s.desired-s.counts(blue).alive) {
		return true
	}
	switch sd.stage {
	case "RECONCILE_SERVICE":
		return e.reconcile(sd, blue)
	case "PRE_SCALE_UP":
		return false
	}
	if e.launchAll(green, s.desired-s.counts(green).alive) {
		return true
	}
	mine := s.counts(green)
	if surplus := mine.alive - s.desired; surplus > 0 {
		return e.stopTasks(s, surplus, "Scaling activity initiated by (deployment "+green.id+")", blue) > 0
	}
	if sd.stage == "SCALE_UP" && mine.healthy == s.desired && mine.alive == s.desired {
		e.walk(sd, sd.settings.Stages())
		return true
	}
	return false
}

// reconcile leaves one revision to shift from, if an earlier deployment was
// stopped halfway.
func (e *region) reconcile(sd *serviceDeployment, blue *deployment) bool {
	s := sd.service
	if sd.pausedAt() != nil {
		return false
	}
	_, others := s.totals(blue)
	reason := "Scaling activity initiated by (deployment " + sd.target.id + ")"
	if e.stopTasks(s, others.alive, reason, blue) > 0 {
		return true
	}
	if others.left > 0 {
		return false
	}
	e.pauseAt(sd, sd.stage, func() { e.preScaleUp(sd) })
	return true
}

func (e *region) preScaleUp(sd *serviceDeployment) {
	e.enterStage(sd, "PRE_SCALE_UP")
	e.pauseAt(sd, "PRE_SCALE_UP", func() {
		e.after(deployconfig.TimeStage, func() {
			if sd.status == "IN_PROGRESS" {
				e.enterStage(sd, "SCALE_UP")
			}
		})
	})
}

func (e *region) enterStage(sd *serviceDeployment, stage string) {
	sd.stage, sd.updated = stage, e.now()
}

// walk moves through stages that wait for nothing but their duration.
func (e *region) walk(sd *serviceDeployment, stages []deployconfig.Stage) {
	if sd.status != "IN_PROGRESS" || len(stages) == 0 {
		return
	}
	now := stages[0]
	e.enterStage(sd, now.Name)
	sd.testShift, sd.shifted = now.Test, now.Shifted
	e.pauseAt(sd, now.Name, func() {
		e.after(now.Lasts, func() { e.walk(sd, stages[1:]) })
	})
}

// cleanUp scales the blue revision down and ends the deployment.
func (e *region) cleanUp(sd *serviceDeployment) bool {
	s, green := sd.service, sd.target
	_, others := s.totals(green)
	if e.stopTasks(s, others.alive, "Scaling activity initiated by (deployment "+green.id+")", green) > 0 {
		return true
	}
	if e.launchAll(green, s.desired-s.counts(green).alive) {
		return true
	}
	return e.finishDeployment(s)
}
