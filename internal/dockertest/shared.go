package dockertest

import (
	"context"
	"testing"

	"slipway/internal/daemontest"
)

// shared are the engines of a test binary.
var shared = daemontest.Shared[Kind, *Engine]{
	Package: "dockertest",
	Launch:  func(ctx context.Context, k Kind) (*Engine, error) { return Launch(ctx, k) },
}

// Shared returns the engine of the kind that all tests of the binary use, which is
// faster than one for each test. It may contain images and builds of other tests.
// It calls Require. The binary's TestMain must use StopAfter.
func Shared(t testing.TB, k Kind) *Engine {
	t.Helper()
	Require(t, k)
	return shared.Get(t, k)
}

// StopAfter wraps a *testing.M, or another wrapper of it, so that the shared
// engines are stopped when the tests have run:
//
//	func TestMain(m *testing.M) { os.Exit(dockertest.StopAfter(enginetest.StopAfter(m)).Run()) }
func StopAfter(m daemontest.Runner) daemontest.Runner { return shared.StopAfter(m) }
