package ecs

import (
	"container/heap"
	"time"
)

// ecsTime is a point in ECS's own time, which runs faster than the server's
// clock by the speed: the time since the timeline began.
type ecsTime time.Duration

// timeline holds what is due to happen, in order.
type timeline struct {
	speed    float64
	now      ecsTime
	anchor   time.Time // the server's time at anchorAt, without a jump in between
	anchorAt ecsTime
	queue    eventQueue
	count    int
}

// timelineEvent is something that happens at a moment.
type timelineEvent struct {
	at    ecsTime
	order int // among those of the same moment
	run   func()
}

type eventQueue []timelineEvent

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push and Pop are for package heap.
func (q *eventQueue) Push(x any) { *q = append(*q, x.(timelineEvent)) }

// Pop takes the last entry off.
func (q *eventQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// after has something happen when a duration of ECS's time has passed.
func (t *timeline) after(d time.Duration, run func()) {
	t.count++
	heap.Push(&t.queue, timelineEvent{t.now + ecsTime(max(d, 0)), t.count, run})
}

// clockTime is the server's time at the present moment.
func (t *timeline) clockTime() time.Time { return t.clockTimeAt(t.now) }

// clockTimeAt is the server's time at a moment, if the speed stays.
func (t *timeline) clockTimeAt(m ecsTime) time.Time {
	passed := float64(m-t.anchorAt) / t.speed
	return t.anchor.Add(time.Duration(passed)).Round(0)
}

// at is where the server's time stands on the timeline.
func (t *timeline) at(wall time.Time) ecsTime {
	return t.anchorAt + ecsTime(float64(wall.Sub(t.anchor))*t.speed)
}

// setSpeed changes the speed from now on.
func (t *timeline) setSpeed(speed float64) {
	t.anchor, t.anchorAt, t.speed = t.clockTime(), t.now, speed
}

// advanceTo lets happen what is due up to a moment, one moment after the other,
// and calls step before the first and after each.
func (t *timeline) advanceTo(end ecsTime, step func()) {
	step()
	for len(t.queue) > 0 && t.queue[0].at <= end {
		t.now = max(t.now, t.queue[0].at)
		for len(t.queue) > 0 && t.queue[0].at <= t.now {
			heap.Pop(&t.queue).(timelineEvent).run()
		}
		step()
	}
	t.now = max(t.now, end)
}

// advance brings ECS up to the server's clock.
func (e *region) advance() {
	e.timeline.advanceTo(e.timeline.at(e.clock.Now()), e.step)
}

// after has something happen later, in ECS's time.
func (e *region) after(d time.Duration, run func()) { e.timeline.after(d, run) }

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
