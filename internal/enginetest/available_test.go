package enginetest

import (
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/testkit"
)

func TestBinariesMissing(t *testing.T) {
	dir := t.TempDir()
	daemon := filepath.Join(dir, "buildkitd")
	t.Setenv("PATH", dir)
	t.Setenv("SLIPWAY_TEST_BUILDKITD", daemon)
	if _, err := binaries(); err == nil || !strings.Contains(err.Error(), daemon) {
		t.Errorf("without a daemon: %v", err)
	}
	testkit.WriteProgram(t, daemon, "")
	if _, err := binaries(); err == nil || !strings.Contains(err.Error(), "no runc") {
		t.Errorf("without runc: %v", err)
	}
	testkit.WriteProgram(t, filepath.Join(dir, "runc"), "")
	if got, err := binaries(); err != nil || got != daemon {
		t.Errorf("got %q, %v, want %q", got, err, daemon)
	}
}
