//go:build !linux

package dockertest

import "os/exec"

// The daemon does not run here: Available says so before these are called.

func (p programs) command(string, ...string) *exec.Cmd { return exec.Command(p.dockerd) }

func probe(programs) error { return nil }
