package sandbox

import (
	"container/heap"
	"time"
)

// moment is a point in ECS's own time, which runs faster than the server's
// clock by the speed: the time since the timeline began.
type moment time.Duration

// timeline holds what is due to happen, in order.
type timeline struct {
	speed    float64
	now      moment
	anchor   time.Time // the server's time at anchorAt, without a jump in between
	anchorAt moment
	queue    dueQueue
	count    int
}

// due is something that happens at a moment.
type due struct {
	at    moment
	order int // among those of the same moment
	run   func()
}

type dueQueue []due

func (q dueQueue) Len() int { return len(q) }
func (q dueQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q dueQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push and Pop are for package heap.
func (q *dueQueue) Push(x any) { *q = append(*q, x.(due)) }

// Pop takes the last entry off.
func (q *dueQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// after has something happen when a duration of ECS's time has passed.
func (t *timeline) after(d time.Duration, run func()) {
	t.count++
	heap.Push(&t.queue, due{t.now + moment(max(d, 0)), t.count, run})
}

// wall is the server's time at the present moment.
func (t *timeline) wall() time.Time { return t.wallAt(t.now) }

// wallAt is the server's time at a moment, if the speed stays.
func (t *timeline) wallAt(m moment) time.Time {
	passed := float64(m-t.anchorAt) / t.speed
	return t.anchor.Add(time.Duration(passed)).Round(0)
}

// momentOf is where the server's time stands on the timeline.
func (t *timeline) momentOf(wall time.Time) moment {
	return t.anchorAt + moment(float64(wall.Sub(t.anchor))*t.speed)
}

// setSpeed changes the speed from now on.
func (t *timeline) setSpeed(speed float64) {
	t.anchor, t.anchorAt, t.speed = t.wall(), t.now, speed
}

// advanceTo lets happen what is due up to a moment, one moment after the other,
// and calls step before the first and after each.
func (t *timeline) advanceTo(end moment, step func()) {
	step()
	for len(t.queue) > 0 && t.queue[0].at <= end {
		t.now = max(t.now, t.queue[0].at)
		for len(t.queue) > 0 && t.queue[0].at <= t.now {
			heap.Pop(&t.queue).(due).run()
		}
		step()
	}
	t.now = max(t.now, end)
}

// advance brings ECS up to the server's clock.
func (e *ecs) advance() {
	e.timeline.advanceTo(e.timeline.momentOf(e.clock.Now()), e.step)
}

// after has something happen later, in ECS's time.
func (e *ecs) after(d time.Duration, run func()) { e.timeline.after(d, run) }

// step lets the scheduler, and whoever else listens, act until all is as it
// should be for the moment.
func (e *ecs) step() {
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
