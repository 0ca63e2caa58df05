package cmd

import (
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/dockertest"
	"slipway/internal/enginetest"
)

// TestMain puts the real main in PATH as slipway, for scripts and for tests that run it
// as a process of its own.
func TestMain(m *testing.M) {
	// Most tests wait for a pause or a process rather than for a processor. What the
	// command line says comes after this and wins.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	testscript.Main(dockertest.StopAfter(enginetest.StopAfter(m)), scriptPrograms)
}

// scriptPrograms are the programs that scripts run.
var scriptPrograms = map[string]func(){
	"slipway": func() { os.Exit(Main()) },
	"unread":  runUnread,
	"full":    runFull,
}
