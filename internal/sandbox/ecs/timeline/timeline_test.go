package timeline

import (
	"fmt"
	"testing"
	"time"
)

// The speed changes how fast ECS's time passes from then on; timestamps stay
// those of the clock.
func TestTimeline(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	line := New(1, begin)
	var at []time.Duration
	note := func() { at = append(at, line.ClockTime().Sub(begin)) }
	line.After(time.Minute, note)
	line.After(10*time.Minute, note)
	line.AdvanceTo(line.At(begin.Add(2*time.Minute)), func() {})
	line.SetSpeed(4)
	line.After(4*time.Minute, note)
	line.AdvanceTo(line.At(begin.Add(time.Hour)), func() {})
	if got, want := fmt.Sprint(at), "[1m0s 3m0s 4m0s]"; got != want {
		t.Errorf("happened at %s, want %s", got, want)
	}
	if got := line.ClockTime(); !got.Equal(begin.Add(time.Hour)) {
		t.Errorf("it is %s, want %s", got, begin.Add(time.Hour))
	}
	line.AdvanceTo(line.At(begin), func() {})
	if got := line.ClockTime(); !got.Equal(begin.Add(time.Hour)) {
		t.Errorf("the clock moved back, and ECS with it: %s", got)
	}
}
