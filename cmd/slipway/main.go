// Slipway builds the services of a compose file, pushes them to Amazon ECR and tags
// them, all or nothing.
package main

import (
	"os"
	"runtime/debug"

	"slipway/cmd"
)

func main() {
	collectLess()
	os.Exit(cmd.Main())
}

// collectLess lets the heap grow to five times what is in use before the garbage
// collector runs, up to a limit: most commands end before that. The variables of the Go
// runtime go before this.
func collectLess() {
	const percent, limit = 400, 256 << 20 // bytes
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}
