package display

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// quietTime is how long a service may print nothing before its running steps are named:
// a registry that sends one byte a second looks like a step that thinks.
const quietTime = time.Minute

// remindEvery names running steps that print nothing, until the display is closed.
func (d *plainDisplay) remindEvery(interval time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	d.reminding = cancel
	go func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				d.remind()
			}
		}
	}()
}

// remind prints a line for each service that is quiet and has running steps.
func (d *plainDisplay) remind() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	for _, service := range slices.Sorted(maps.Keys(d.steps)) {
		if now.Sub(d.printed[service]) < quietTime {
			continue
		}
		if running := d.running(service, now); len(running) > 0 {
			d.line(service, "still running: "+strings.Join(running, ", "))
		}
	}
}

// running names the steps of a service that have begun and not ended, the oldest first.
func (d *plainDisplay) running(service string, now time.Time) []string {
	var steps []*plainStep
	for _, s := range d.steps[service] {
		if s.started != nil && !s.done {
			steps = append(steps, s)
		}
	}
	slices.SortFunc(steps, func(a, b *plainStep) int { return a.started.Compare(*b.started) })
	var out []string
	for _, s := range steps {
		out = append(out, fmt.Sprintf("%s (%s)", s.name, now.Sub(*s.started).Round(time.Second)))
	}
	return out
}
