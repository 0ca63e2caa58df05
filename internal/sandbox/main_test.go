package sandbox_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets the tests that wait for a Python process run beside each other, more of
// them than there are processors. What the command line says comes after this and wins.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
