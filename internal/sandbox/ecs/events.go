package ecs

import (
	"fmt"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

// serviceEvent is an entry of a service's event stream.
type serviceEvent struct {
	ID        string        `json:"id"`
	CreatedAt *awsapi.Epoch `json:"createdAt"`
	Message   string        `json:"message"`
}

// event writes an event. The latest 100 are kept, as many as ECS shows.
func (e *region) event(s *service, format string, args ...any) {
	ev := serviceEvent{awsapi.UUID(), awsapi.Stamp(e.now()), fmt.Sprintf("(service %s)", s.name) + fmt.Sprintf(format, args...)}
	s.events = append([]serviceEvent{ev}, s.events...)
	if len(s.events) > 100 {
		s.events = s.events[:100]
	}
}

// eventOfTasks writes one event about several tasks.
func (e *region) eventOfTasks(s *service, did string, tasks []*task) {
	if len(tasks) == 0 {
		return
	}
	var ids strings.Builder
	for _, t := range tasks {
		fmt.Fprintf(&ids, " (task %s)", t.id)
	}
	e.event(s, " has %s %d tasks:%s.", did, len(tasks), &ids)
}
