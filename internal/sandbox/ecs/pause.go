package ecs

import (
	"cmp"
	"crypto/rand"
	"slices"
	"time"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/deployconfig"
)

// hookRecord is a hook that a deployment has reached, at one stage.
type hookRecord struct {
	id, status, action string
	expires            time.Time
	// resume brings the deployment on.
	resume func()
}

// pausedAt returns the hook that waits for an answer, nil if none does.
func (sd *serviceDeployment) pausedAt() *hookRecord {
	i := slices.IndexFunc(sd.hooks, func(h *hookRecord) bool { return h.status == "AWAITING_ACTION" })
	if i < 0 || !sd.underWay() {
		return nil
	}
	return sd.hooks[i]
}

// pauseAt calls then when a deployment's hooks at a stage allow it.
func (e *region) pauseAt(sd *serviceDeployment, stage string, then func()) {
	i := slices.IndexFunc(sd.settings.Hooks, func(h deployconfig.Hook) bool { return h.Pauses(stage) })
	if i < 0 {
		then()
		return
	}
	hook := sd.settings.Hooks[i]
	r := &hookRecord{
		id: "ecs-pause-" + rand.Text()[:4], status: "AWAITING_ACTION", action: cmp.Or(hook.Timeout.Action, "ROLLBACK"),
		expires: e.now().Add(e.timeline.ClockDuration(hook.Limit())), resume: then,
	}
	sd.hooks = append(sd.hooks, r)
	e.after(hook.Limit(), func() {
		if sd.pausedAt() == r {
			r.status = "TIMED_OUT"
			e.answerHook(sd, r, r.action)
		}
	})
}

// answerHook resumes a deployment after a hook, or rolls it back.
func (e *region) answerHook(sd *serviceDeployment, r *hookRecord, action string) {
	sd.updated = e.now()
	if action != "ROLLBACK" {
		r.resume()
		return
	}
	sd.status = "ROLLBACK_REQUESTED"
	e.after(timeRequested, func() { e.rollBackStopped(sd) })
}

type continueServiceDeploymentIn struct {
	Arn    string `json:"serviceDeploymentArn"`
	HookID string `json:"hookId"`
	Action string `json:"action"`
}

// continueServiceDeployment answers a PAUSE hook. Its errors are those of the
// API's model. Which error belongs to a hook that does not wait is not
// documented.
func continueServiceDeployment(e *region, in continueServiceDeploymentIn) (out stopServiceDeploymentOut, err error) {
	sd := e.serviceDeployment(in.Arn)
	switch {
	case sd == nil:
		return out, awsapi.NewError("ServiceDeploymentNotFoundException", "Service deployment not found.")
	case !slices.Contains([]string{"", "CONTINUE", "ROLLBACK"}, in.Action):
		return out, parameterError("Invalid action: %s", in.Action)
	}
	r := sd.pausedAt()
	if r == nil || r.id != in.HookID {
		return out, parameterError("The service deployment is not paused at lifecycle hook %s.", in.HookID)
	}
	r.status = "SUCCEEDED"
	if in.Action == "ROLLBACK" {
		r.status = "FAILED"
	}
	e.answerHook(sd, r, in.Action)
	return stopServiceDeploymentOut{sd.arn}, nil
}

// hookDetails returns the hooks that a deployment has reached.
func (sd *serviceDeployment) hookDetails() []object {
	var out []object
	for _, h := range sd.hooks {
		out = append(out, object{
			"hookId": h.id, "targetType": "PAUSE", "status": h.status, "timeoutAction": h.action, "expiresAt": awsapi.Stamp(h.expires),
		})
	}
	return out
}
