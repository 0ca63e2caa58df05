//go:build linux || darwin || freebsd || netbsd || openbsd

package artifact

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the lock of an open file and reports whether it could. The system
// releases it when the file is closed or the process ends.
func lock(f *os.File) bool { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }
