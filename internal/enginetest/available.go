package enginetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"slipway/internal/daemontest"
)

// ErrUnavailable is wrapped by all errors of Available.
var ErrUnavailable = errors.New("no BuildKit daemon can run here")

// Available returns an error if no daemon can run here: a binary is missing, the
// system is not Linux, or the user may not mount. The error wraps ErrUnavailable.
var Available = sync.OnceValue(func() error {
	if err := look(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
})

func look() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("buildkitd runs on Linux, this is %s", runtime.GOOS)
	}
	bin, err := binaries()
	if err != nil {
		return err
	}
	return probe(bin)
}

// Required reports whether tests must fail if no daemon can run, which is the case
// if SLIPWAY_REQUIRE_ENGINE is 1.
func Required() bool { return daemontest.Required() }

// Require skips the test with a message if no daemon can run, or fails it if
// Required.
func Require(t testing.TB) {
	t.Helper()
	daemontest.Require(t, Available(), Required())
}

// binaries returns the daemon's path: $SLIPWAY_TEST_BUILDKITD, else
// .tools/bin/buildkitd in the module's root. A runc must be next to it or in PATH.
func binaries() (string, error) {
	bin := os.Getenv("SLIPWAY_TEST_BUILDKITD")
	if bin == "" {
		tools, err := daemontest.Tools()
		if err != nil {
			return "", fmt.Errorf("%w: set SLIPWAY_TEST_BUILDKITD", err)
		}
		bin = filepath.Join(tools, "bin", "buildkitd")
	}
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("%w (`make tools` builds it)", err)
	}
	for _, name := range []string{filepath.Join(filepath.Dir(bin), "runc"), "runc", "buildkit-runc"} {
		if _, err := exec.LookPath(name); err == nil {
			return bin, nil
		}
	}
	return "", fmt.Errorf("no runc in %s or PATH (`make tools` builds it)", filepath.Dir(bin))
}
