package ecs

import (
	"slices"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/protection"
	"slipway/internal/sandbox/ecs/timeline"
)

type protectionOut struct {
	ProtectedTasks []object  `json:"protectedTasks"`
	Failures       []failure `json:"failures"`
}

// updateTaskProtection protects tasks from being stopped by a deployment or a
// lower desired count, or ends their protection. Every call sets a new time.
func updateTaskProtection(e *region, in protection.Request) (out protectionOut, err error) {
	lasts, err := in.Lasts()
	if err != nil {
		return out, err
	}
	return e.protections(in, protection.Changes, func(t *task) {
		t.protected = 0
		if lasts > 0 {
			t.protected = e.timeline.Now() + timeline.Time(lasts)
			e.after(lasts, func() {}) // then the scheduler looks again
		}
	})
}

func getTaskProtection(e *region, in protection.Request) (protectionOut, error) {
	return e.protections(in, protection.Looks, func(*task) {})
}

// protections calls do with each task and describes the tasks' protection.
func (e *region) protections(in protection.Request, most int, do func(*task)) (protectionOut, error) {
	out := protectionOut{ProtectedTasks: []object{}, Failures: []failure{}}
	if err := in.Check(most); err != nil {
		return out, err
	}
	c, err := e.cluster(in.Cluster)
	if err != nil {
		return out, err
	}
	for _, id := range in.Tasks {
		t := e.task(c, id)
		if t == nil {
			out.Failures = append(out.Failures, failure{e.arn("task", c.name, lastPart(id)), "MISSING"})
			continue
		}
		do(t)
		described := object{"taskArn": t.arn, "protectionEnabled": e.protects(t)}
		if e.protects(t) {
			described["expirationDate"] = awsapi.Stamp(e.timeline.ClockTimeAt(t.protected))
		}
		out.ProtectedTasks = append(out.ProtectedTasks, described)
	}
	return out, nil
}

// protects reports whether the scheduler may not stop a task, neither for a
// deployment nor for a lower desired count. The deletion of a service stops
// protected tasks too.
func (e *region) protects(t *task) bool {
	return e.timeline.Now() < t.protected && t.service.status == "ACTIVE"
}

// unprotected returns the tasks that the scheduler may stop.
func (e *region) unprotected(tasks []*task) []*task {
	return slices.DeleteFunc(slices.Clone(tasks), e.protects)
}
