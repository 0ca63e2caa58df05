package sandbox

import (
	"sync/atomic"
	"time"
)

// clock is the time of day plus what it has been moved by.
type clock struct{ offset atomic.Int64 }

// Now and Since make a clock the time source of gofakes3 as well.
func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Since is the time passed on this clock.
func (c *clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Advance moves the clock, back if d is negative.
func (c *clock) Advance(d time.Duration) { c.offset.Add(int64(d)) }
