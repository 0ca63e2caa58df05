package engine_test

import (
	"os"
	"testing"

	"slipway/internal/enginetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(managedEngineUser); dir != "" {
		useManagedEngine(dir)
		return
	}
	if os.Getenv(otherHosts) != "" {
		beOtherHosts()
		return
	}
	if os.Getenv(ordinaryUser) != "" {
		beOrdinaryUser()
		return
	}
	os.Exit(enginetest.StopAfter(m).Run())
}

// shortDir is a directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "slip")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
