package ecs

import "time"

// advance brings ECS up to the server's clock.
func (e *region) advance() {
	e.timeline.AdvanceTo(e.timeline.At(e.clock.Now()), e.step)
}

// after has something happen later, in ECS's time.
func (e *region) after(d time.Duration, run func()) { e.timeline.After(d, run) }

// step lets the scheduler, and whoever else listens, act until all is as it
// should be for the moment.
func (e *region) step() {
	for changed := true; changed; {
		changed = false
		for _, s := range e.services() {
			changed = e.schedule(s) || changed
		}
		for _, f := range e.onStep {
			changed = f() || changed
		}
	}
}
