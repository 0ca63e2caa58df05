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
