package main

import (
	"context"
	"errors"
	"time"
)

// job is one build of the whole project.
type job struct {
	// prefix is the part of the repositories' names before the service.
	prefix string
	tag    string
	// cached makes a contestant that does not do so of itself import the cache
	// that the repositories keep, and write one for the next build.
	cached bool
}

// contestant is a way to build and push the project.
type contestant interface {
	name() string
	build(ctx context.Context, j job) (usage, error)
}

// usage is what a build took of the contestant's own process.
type usage struct {
	// peak is the most memory it held at once, in bytes; 0 if not known.
	peak int64
}

// entry is a contestant in one measurement.
type entry struct {
	contestant
	// prepare is done before the clock starts.
	prepare func(ctx context.Context, round int) error
	// job is what is timed.
	job func(round int) job
	// check looks at what came out after the clock has stopped.
	check func(ctx context.Context, j job) error
}

// sample is one timed build.
type sample struct {
	wall time.Duration
	usage
}

// interleave times every entry once in each round. The order rotates, so that
// what happens on the machine meanwhile strikes all alike and nobody is always
// first. The samples stand in the order of the entries.
func interleave(ctx context.Context, rounds int, entries []entry, told func(round int, e entry, s sample)) ([][]sample, error) {
	out := make([][]sample, len(entries))
	for round := range rounds {
		for k := range entries {
			i := (round + k) % len(entries)
			s, err := entries[i].time(ctx, round)
			if err != nil {
				return nil, err
			}
			told(round, entries[i], s)
			out[i] = append(out[i], s)
		}
	}
	return out, nil
}

func (e entry) time(ctx context.Context, round int) (sample, error) {
	if err := e.prepare(ctx, round); err != nil {
		return sample{}, contestError{e.name(), err}
	}
	j := e.job(round)
	start := time.Now()
	u, err := e.build(ctx, j)
	s := sample{wall: time.Since(start), usage: u}
	if err == nil {
		err = e.check(ctx, j)
	}
	if err != nil {
		return s, contestError{e.name(), errors.Join(err, ctx.Err())}
	}
	return s, nil
}

// contestError says whose build went wrong: nothing is measured then.
type contestError struct {
	who string
	err error
}

func (e contestError) Error() string { return e.who + ": " + e.err.Error() }
func (e contestError) Unwrap() error { return e.err }

func walls(samples []sample) []time.Duration {
	var out []time.Duration
	for _, s := range samples {
		out = append(out, s.wall)
	}
	return out
}

// peak is the most memory that any of the builds held at once, in bytes.
func peak(samples []sample) int64 {
	var most int64
	for _, s := range samples {
		most = max(most, s.peak)
	}
	return most
}
