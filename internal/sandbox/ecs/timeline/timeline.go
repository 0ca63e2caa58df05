// Package timeline runs events in order, in a time of its own that can be
// faster than the clock.
package timeline

import (
	"container/heap"
	"time"
)

// Time is a point in ECS's own time: the time since the timeline began.
type Time time.Duration

// Timeline has the events to come, in order. Its time runs faster than the
// clock by the speed.
type Timeline struct {
	speed    float64
	current  Time
	anchor   time.Time // the clock's time at anchorAt, without a jump in between
	anchorAt Time
	queue    eventQueue
	count    int
}

// New returns a timeline that begins at a time of the clock.
func New(speed float64, start time.Time) *Timeline {
	return &Timeline{speed: speed, anchor: start}
}

// event is a function to call at a time.
type event struct {
	at    Time
	order int // among the events of the same time
	run   func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push and Pop are for package heap.
func (q *eventQueue) Push(x any) { *q = append(*q, x.(event)) }

// Pop removes the last entry.
func (q *eventQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// Now returns the present time.
func (t *Timeline) Now() Time { return t.current }

// After has run called when d has passed.
func (t *Timeline) After(d time.Duration, run func()) {
	t.count++
	heap.Push(&t.queue, event{t.current + Time(max(d, 0)), t.count, run})
}

// ClockTime returns the clock's time at present.
func (t *Timeline) ClockTime() time.Time { return t.ClockTimeAt(t.current) }

// ClockTimeAt returns the clock's time at a time, if the speed stays.
func (t *Timeline) ClockTimeAt(at Time) time.Time {
	return t.anchor.Add(t.ClockDuration(time.Duration(at - t.anchorAt))).Round(0)
}

// ClockDuration returns the clock's duration while d passes here.
func (t *Timeline) ClockDuration(d time.Duration) time.Duration {
	return time.Duration(float64(d) / t.speed)
}

// At returns the time here at a time of the clock.
func (t *Timeline) At(clock time.Time) Time {
	return t.anchorAt + Time(float64(clock.Sub(t.anchor))*t.speed)
}

// SetSpeed changes the speed from now on.
func (t *Timeline) SetSpeed(speed float64) {
	t.anchor, t.anchorAt, t.speed = t.ClockTime(), t.current, speed
}

// AdvanceTo runs the events up to a time, one after the other. It calls step
// before the first and after those of each time.
func (t *Timeline) AdvanceTo(end Time, step func()) {
	step()
	for len(t.queue) > 0 && t.queue[0].at <= end {
		t.current = max(t.current, t.queue[0].at)
		for len(t.queue) > 0 && t.queue[0].at <= t.current {
			heap.Pop(&t.queue).(event).run()
		}
		step()
	}
	t.current = max(t.current, end)
}
