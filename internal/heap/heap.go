// Package heap makes the garbage collector of this program run less often. Import it
// for that alone.
package heap

import (
	"os"
	"runtime/debug"
)

// The heap may grow to five times what is in use, up to a limit: most commands end
// before that. Here and not in main, since the packages that are initialized after this
// one allocate more than the first collection waits for. The variables of the Go runtime
// go before this.
func init() {
	const percent, limit = 400, 256 << 20 // bytes
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}
