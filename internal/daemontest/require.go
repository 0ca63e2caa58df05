package daemontest

import (
	"os"
	"testing"
)

// Required tells whether tests must fail where their daemon cannot run, which
// they do when SLIPWAY_REQUIRE_ENGINE is 1.
func Required() bool { return os.Getenv("SLIPWAY_REQUIRE_ENGINE") == "1" }

// Require leaves the test out where its daemon is unavailable, saying so, or
// fails it where the daemon is required.
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
