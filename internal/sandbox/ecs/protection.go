package ecs

import (
	"slices"
	"time"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/timeline"
)

// Bounds of task scale-in protection (reference of UpdateTaskProtection and
// GetTaskProtection).
const (
	protectionTasks   = 10
	protectionLooks   = 100
	protectionDefault = 120 // minutes
	protectionLongest = 2880
)

type protectionIn struct {
	Cluster           string   `json:"cluster"`
	Tasks             []string `json:"tasks"`
	ProtectionEnabled *bool    `json:"protectionEnabled"`
	ExpiresInMinutes  *int     `json:"expiresInMinutes"`
}

type protectionOut struct {
	ProtectedTasks []object  `json:"protectedTasks"`
	Failures       []failure `json:"failures"`
}

// updateTaskProtection protects tasks from being stopped by a deployment or a
// lower desired count, or ends their protection. Every call sets a new time.
func updateTaskProtection(e *region, in protectionIn) (out protectionOut, err error) {
	minutes := protectionDefault
	if in.ExpiresInMinutes != nil {
		minutes = *in.ExpiresInMinutes
	}
	switch {
	case in.ProtectionEnabled == nil:
		return out, parameterError("protectionEnabled is required.")
	case minutes < 1 || minutes > protectionLongest:
		return out, parameterError("expiresInMinutes must be between 1 and %d.", protectionLongest)
	}
	return e.protections(in, protectionTasks, func(t *task) {
		t.protected = 0
		if *in.ProtectionEnabled {
			lasts := time.Duration(minutes) * time.Minute
			t.protected = e.timeline.Now() + timeline.Time(lasts)
			e.after(lasts, func() {}) // then the scheduler looks again
		}
	})
}

func getTaskProtection(e *region, in protectionIn) (protectionOut, error) {
	return e.protections(in, protectionLooks, func(*task) {})
}

// protections calls do with each task and describes the tasks' protection.
func (e *region) protections(in protectionIn, most int, do func(*task)) (protectionOut, error) {
	out := protectionOut{ProtectedTasks: []object{}, Failures: []failure{}}
	switch {
	case in.Cluster == "":
		return out, parameterError("Cluster cannot be empty.")
	case len(in.Tasks) == 0:
		return out, parameterError("Tasks cannot be empty.")
	case len(in.Tasks) > most:
		return out, parameterError("Tasks cannot have more than %d entries.", most)
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
