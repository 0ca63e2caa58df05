package inputs

import (
	"fmt"
	"io/fs"
	"syscall"
)

// changeTime is the time at which the file's bytes, mode or time last changed,
// which no program can set.
func changeTime(info fs.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprint(s.Ino, s.Ctim.Sec, s.Ctim.Nsec)
	}
	return ""
}
