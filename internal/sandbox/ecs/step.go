package ecs

import "time"

// advance brings ECS up to the clock.
func (e *region) advance() {
	e.timeline.AdvanceTo(e.timeline.At(e.clock.Now()), e.step)
}

// after has run called when a duration of ECS's time has passed.
func (e *region) after(d time.Duration, run func()) { e.timeline.After(d, run) }

// step runs the scheduler and the functions of onStep until none of them
// changes anything.
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
