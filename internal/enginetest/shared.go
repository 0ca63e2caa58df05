package enginetest

import (
	"context"
	"testing"

	"slipway/internal/daemontest"
)

// shared is the one daemon of a test binary.
var shared = daemontest.Shared[struct{}, *Engine]{
	Package: "enginetest",
	Launch:  func(ctx context.Context, _ struct{}) (*Engine, error) { return Launch(ctx) },
}

// Shared returns the daemon that all tests of the binary use, which is faster than
// one for each test. Builds of other tests may be in its cache. It calls Require.
// The binary's TestMain must use StopAfter.
func Shared(t testing.TB) *Engine {
	t.Helper()
	Require(t)
	return shared.Get(t, struct{}{})
}

// StopAfter wraps a *testing.M, or another wrapper of it, so that the shared daemon
// is stopped when the tests have run:
//
//	func TestMain(m *testing.M) { os.Exit(enginetest.StopAfter(m).Run()) }
//	func TestMain(m *testing.M) { testscript.Main(enginetest.StopAfter(m), commands) }
func StopAfter(m daemontest.Runner) daemontest.Runner { return shared.StopAfter(m) }
