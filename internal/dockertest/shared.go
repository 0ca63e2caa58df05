package dockertest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared are the engines of a test binary, each started by the first test that
// asks for it.
var shared struct {
	sync.Mutex
	kinds map[Kind]*launched // nil unless StopAfter is in place
}

type launched struct {
	once   sync.Once
	engine *Engine
	err    error
}

// Shared returns the engine of the kind that all tests of the binary use, which is
// faster than one for each test. It may contain images and builds of other tests.
// It calls Require. The binary's TestMain must use StopAfter.
func Shared(t testing.TB, k Kind) *Engine {
	t.Helper()
	Require(t, k)
	shared.Lock()
	l := shared.kinds[k]
	shared.Unlock()
	if l == nil {
		t.Fatal("dockertest.Shared needs a TestMain that runs dockertest.StopAfter(m)")
	}
	l.once.Do(func() { l.engine, l.err = Launch(t.Context(), k) })
	if l.err != nil {
		t.Fatalf("starting the shared Docker engine (%s): %v", k, l.err)
	}
	return l.engine
}

type runner interface{ Run() int }

type stopper struct{ tests runner }

// StopAfter wraps a *testing.M, or another wrapper of it, so that the shared
// engines are stopped when the tests have run:
//
//	func TestMain(m *testing.M) { os.Exit(dockertest.StopAfter(enginetest.StopAfter(m)).Run()) }
func StopAfter(m runner) interface{ Run() int } { return stopper{m} }

// Run runs the tests and returns their exit code, or 1 if they passed but an
// engine could not be stopped.
func (s stopper) Run() int {
	shared.Lock()
	shared.kinds = map[Kind]*launched{}
	for _, k := range Kinds {
		shared.kinds[k] = &launched{}
	}
	shared.Unlock()
	code := s.tests.Run()
	shared.Lock()
	defer shared.Unlock()
	for k, l := range shared.kinds {
		if l.engine == nil {
			continue
		}
		if err := l.engine.Close(); err != nil {
			fmt.Fprintf(os.Stderr, "stopping the shared Docker engine (%s): %v\n", k, err)
			code = max(code, 1)
		}
	}
	shared.kinds = nil
	return code
}
