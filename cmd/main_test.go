package cmd

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/enginetest"
)

// TestMain puts the real main in PATH as slipway, for scripts and for tests that run it
// as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(enginetest.StopAfter(m), map[string]func(){
		"slipway": func() { os.Exit(Main()) },
	})
}
