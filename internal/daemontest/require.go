package daemontest

import (
	"os"
	"testing"
)

// Required reports whether tests must fail if their daemon cannot run, which is
// the case if SLIPWAY_REQUIRE_ENGINE is 1.
func Required() bool { return os.Getenv("SLIPWAY_REQUIRE_ENGINE") == "1" }

// Require skips the test with a message if its daemon is unavailable, or fails it
// if the daemon is required.
func Require(t testing.TB, unavailable error, required bool) {
	t.Helper()
	switch {
	case unavailable == nil:
	case required:
		t.Fatalf("SLIPWAY_REQUIRE_ENGINE=1: %v", unavailable)
	default:
		t.Skipf("LEFT OUT: %v", unavailable)
	}
}
