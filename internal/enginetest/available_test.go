package enginetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBinariesMissing(t *testing.T) {
	dir := t.TempDir()
	daemon := filepath.Join(dir, "buildkitd")
	t.Setenv("PATH", dir)
	t.Setenv("SLIPWAY_TEST_BUILDKITD", daemon)
	if _, err := binaries(); err == nil || !strings.Contains(err.Error(), daemon) {
		t.Errorf("without a daemon: %v", err)
	}
	writeProgram(t, daemon)
	if _, err := binaries(); err == nil || !strings.Contains(err.Error(), "no runc") {
		t.Errorf("without runc: %v", err)
	}
	writeProgram(t, filepath.Join(dir, "runc"))
	if got, err := binaries(); err != nil || got != daemon {
		t.Errorf("got %q, %v", got, err)
	}
}

func writeProgram(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
