package awsapi

import (
	"encoding/json"
	"sync/atomic"
	"time"
)

// Clock is the system's clock with an offset. It is a time source of gofakes3
// as well. The zero value shows the system's time.
type Clock struct{ offset atomic.Int64 }

// Now returns the time on this clock.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Since returns the time that has passed on this clock.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Advance moves the clock, back if d is negative.
func (c *Clock) Advance(d time.Duration) { c.offset.Add(int64(d)) }

// Epoch is a time as the JSON protocol writes it: seconds since 1970.
type Epoch time.Time

// MarshalJSON keeps milliseconds, as AWS does.
func (e Epoch) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(e).UnixMilli()) / 1000)
}

// Stamp returns a time for an answer. It is nil for the zero time, which
// answers leave out.
func Stamp(t time.Time) *Epoch {
	if t.IsZero() {
		return nil
	}
	e := Epoch(t)
	return &e
}
