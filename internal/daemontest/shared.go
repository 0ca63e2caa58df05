package daemontest

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
)

// Shared is a set of daemons that all tests of a binary use. The first test
// that asks for a daemon starts it; it is stopped when the tests have run.
type Shared[K comparable, D io.Closer] struct {
	// Package is the name of the package whose StopAfter a TestMain must use.
	Package string
	// Launch starts the daemon of a key.
	Launch func(context.Context, K) (D, error)

	mu      sync.Mutex
	daemons map[K]*launched[D] // nil unless StopAfter runs the tests
}

type launched[D io.Closer] struct {
	once    sync.Once
	daemon  D
	err     error
	started bool
}

// Get returns the daemon of a key. It fails the test if the daemon cannot
// start, or if the binary's TestMain does not use StopAfter. A daemon that
// could not start is not started again.
func (s *Shared[K, D]) Get(t testing.TB, key K) D {
	t.Helper()
	l := s.launched(key)
	if l == nil {
		t.Fatalf("%s.Shared needs a TestMain that runs %[1]s.StopAfter(m)", s.Package)
	}
	l.once.Do(func() {
		l.daemon, l.err = s.Launch(t.Context(), key)
		l.started = l.err == nil
	})
	if l.err != nil {
		t.Fatalf("starting the daemon that tests share: %v", l.err)
	}
	return l.daemon
}

func (s *Shared[K, D]) launched(key K) *launched[D] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.daemons == nil {
		return nil
	}
	l := s.daemons[key]
	if l == nil {
		l = &launched[D]{}
		s.daemons[key] = l
	}
	return l
}

// Runner runs tests and returns their exit code, as a *testing.M does.
type Runner interface{ Run() int }

// StopAfter wraps a *testing.M, or another wrapper of it. It returns the exit
// code of the tests, or 1 if they passed but a daemon could not be stopped.
func (s *Shared[K, D]) StopAfter(m Runner) Runner { return stopper[K, D]{s, m} }

type stopper[K comparable, D io.Closer] struct {
	shared *Shared[K, D]
	tests  Runner
}

func (s stopper[K, D]) Run() int {
	s.shared.mu.Lock()
	s.shared.daemons = map[K]*launched[D]{}
	s.shared.mu.Unlock()
	code := s.tests.Run()
	return max(code, s.shared.stop())
}

// stop stops the daemons that were started and returns 1 if one could not be
// stopped.
func (s *Shared[K, D]) stop() (code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.daemons {
		if !l.started {
			continue
		}
		if err := l.daemon.Close(); err != nil {
			fmt.Fprintf(os.Stderr, "stopping a daemon of %s: %v\n", s.Package, err)
			code = 1
		}
	}
	s.daemons = nil
	return code
}
