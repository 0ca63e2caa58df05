// Command leftout says aloud which tests `make test` could not run, and why.
// It prints nothing where a BuildKit daemon can run, and fails where one
// cannot but SLIPWAY_REQUIRE_ENGINE is 1.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"slipway/internal/enginetest"
)

func main() {
	os.Exit(report(os.Stderr, enginetest.Available(), enginetest.Required()))
}

// report returns the exit code.
func report(w io.Writer, unavailable error, required bool) int {
	if unavailable == nil {
		return 0
	}
	line := strings.Repeat("*", 78)
	fmt.Fprintf(w, "%[1]s\n* LEFT OUT: every test against a real BuildKit daemon\n* %[2]v\n%[1]s\n", line, unavailable)
	if required {
		return 1
	}
	return 0
}
