package daemontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// fakeDaemon notes that it was closed.
type fakeDaemon struct {
	key    string
	closed *[]string
}

func (d fakeDaemon) Close() error {
	*d.closed = append(*d.closed, d.key)
	if d.key == "stuck" {
		return errors.New("it does not stop")
	}
	return nil
}

// fakeTests is a Runner that gets daemons and returns an exit code.
type fakeTests func() int

func (f fakeTests) Run() int { return f() }

func TestShared(t *testing.T) {
	for _, c := range []struct {
		tests  int
		keys   []string
		code   int
		closed []string
	}{
		{0, nil, 0, nil},
		{0, []string{"a", "b", "a"}, 0, []string{"a", "b"}},
		{0, []string{"a", "broken"}, 0, []string{"a"}},
		{0, []string{"stuck"}, 1, []string{"stuck"}},
		{2, []string{"stuck"}, 2, []string{"stuck"}},
	} {
		var started, closed, ends []string
		s := Shared[string, fakeDaemon]{Package: "faketest", Launch: func(_ context.Context, key string) (fakeDaemon, error) {
			started = append(started, key)
			if key == "broken" {
				return fakeDaemon{}, errors.New("no daemon")
			}
			return fakeDaemon{key, &closed}, nil
		}}
		code := s.StopAfter(fakeTests(func() int {
			for _, key := range c.keys {
				r := &recorder{TB: t}
				if d := s.Get(r, key); r.end == "" && d.key != key {
					t.Errorf("Get(%q) = the daemon of %q", key, d.key)
				}
				ends = append(ends, r.end)
			}
			return c.tests
		})).Run()
		slices.Sort(closed)
		if code != c.code || !slices.Equal(closed, c.closed) {
			t.Errorf("%q: exit code %d, closed %q; want %d, %q", c.keys, code, closed, c.code, c.closed)
		}
		if want := slices.Compact(slices.Sorted(slices.Values(c.keys))); !slices.Equal(slices.Sorted(slices.Values(started)), want) {
			t.Errorf("%q: started %q, want each once", c.keys, started)
		}
		if i := slices.Index(c.keys, "broken"); i >= 0 && ends[i] != "fail: starting the daemon that tests share: no daemon" {
			t.Errorf("Get(%q) ended with %q", "broken", ends[i])
		}
	}
}

func TestSharedWithoutStopAfter(t *testing.T) {
	s := Shared[string, fakeDaemon]{Package: "faketest", Launch: func(context.Context, string) (fakeDaemon, error) {
		return fakeDaemon{}, nil
	}}
	defer func() {
		want := "fail: faketest.Shared needs a TestMain that runs faketest.StopAfter(m)"
		if got := fmt.Sprint(recover()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}()
	s.Get(&stoppingRecorder{}, "a")
}

// stoppingRecorder is a recorder whose Fatalf ends the test, by a panic.
type stoppingRecorder struct{ recorder }

func (r *stoppingRecorder) Fatalf(f string, a ...any) { panic("fail: " + fmt.Sprintf(f, a...)) }
