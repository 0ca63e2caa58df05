package sandbox_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets the tests that wait for a Python process run in parallel, more of them
// than there are processors. A flag of the command line takes precedence.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
