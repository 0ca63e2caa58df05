package main

import (
	"os"
	"syscall"
)

// peakMemory is the most resident memory an ended process held at once, in
// bytes (getrusage(2): ru_maxrss is in KiB). Linux counts in what the parent
// held when it started the process, so the true figure may be smaller.
func peakMemory(p *os.ProcessState) int64 {
	if p == nil {
		return 0
	}
	u, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return u.Maxrss << 10
}

// ownGroup keeps an interrupt at the terminal from a process that is to end
// after the others.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
