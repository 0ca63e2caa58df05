package enginetest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared is the one daemon of a test binary, started by the first test that
// asks for it.
var shared struct {
	sync.Mutex
	stops  bool // StopAfter is in place
	engine *Engine
	err    error
}

// Shared returns the daemon that all tests of the binary use, which is faster than
// one for each test. Builds of other tests may be in its cache. It calls Require.
// The binary's TestMain must use StopAfter.
func Shared(t testing.TB) *Engine {
	t.Helper()
	Require(t)
	shared.Lock()
	defer shared.Unlock()
	if !shared.stops {
		t.Fatal("enginetest.Shared needs a TestMain that runs enginetest.StopAfter(m)")
	}
	if shared.engine == nil && shared.err == nil {
		shared.engine, shared.err = Launch(t.Context())
	}
	if shared.err != nil {
		t.Fatalf("starting the shared test engine: %v", shared.err)
	}
	return shared.engine
}

type runner interface{ Run() int }

type stopper struct{ tests runner }

// StopAfter wraps a *testing.M, or another wrapper of it, so that the shared daemon
// is stopped when the tests have run:
//
//	func TestMain(m *testing.M) { os.Exit(enginetest.StopAfter(m).Run()) }
//	func TestMain(m *testing.M) { testscript.Main(enginetest.StopAfter(m), commands) }
func StopAfter(m runner) interface{ Run() int } { return stopper{m} }

// Run runs the tests and returns their exit code, or 1 if they passed but the
// daemon could not be stopped.
func (s stopper) Run() int {
	shared.Lock()
	shared.stops = true
	shared.Unlock()
	code := s.tests.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.engine == nil {
		return code
	}
	if err := shared.engine.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the shared test engine:", err)
		code = max(code, 1)
	}
	shared.engine, shared.stops = nil, false
	return code
}
