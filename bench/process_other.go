//go:build !linux

package main

import (
	"os"
	"syscall"
)

// No daemon runs here: the program ends before these are called.

func peakMemory(*os.ProcessState) int64 { return 0 }

func ownGroup() *syscall.SysProcAttr { return nil }
