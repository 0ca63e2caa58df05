// Package eventlog is the event stream of a service.
package eventlog

import (
	"fmt"
	"strings"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// Event is an entry of a service's event stream.
type Event struct {
	ID        string        `json:"id"`
	CreatedAt *awsapi.Epoch `json:"createdAt"`
	Message   string        `json:"message"`
}

// most is the number of events that ECS shows.
const most = 100

// Log is the events of a service, the newest first.
type Log []Event

// Add writes an event.
func (l *Log) Add(at time.Time, service, format string, args ...any) {
	e := Event{awsapi.UUID(), awsapi.Stamp(at), fmt.Sprintf("(service %s)", service) + fmt.Sprintf(format, args...)}
	*l = append(Log{e}, *l...)
	*l = (*l)[:min(len(*l), most)]
}

// AddTasks writes one event about several tasks, if there are any.
func (l *Log) AddTasks(at time.Time, service, did string, ids []string) {
	if len(ids) == 0 {
		return
	}
	var all strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&all, " (task %s)", id)
	}
	l.Add(at, service, " has %s %d tasks:%s.", did, len(ids), &all)
}
