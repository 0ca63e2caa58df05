//go:build !linux

package enginetest

import "syscall"

// The daemon does not run here: Available says so before these are called.

func isolation() *syscall.SysProcAttr { return nil }

func modeArgs() []string { return nil }

func probe(string) error { return nil }
