package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// TestUnwritten: a result that could not be written is not a success, and a closed pipe
// ends no process by a signal.
func TestUnwritten(t *testing.T) {
	server := testkit.StartSandbox(t, sandbox.Options{})
	addr := strings.TrimPrefix(server.URL(), "http://")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	r, unread, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	r.Close()
	for _, args := range [][]string{
		{"--help"}, {"serve", "--help"}, {"serve", "--addr", "127.0.0.1:0"},
		{"service", "--addr", addr, "--cluster", "c", "--service", "s", "--container", "a=docker.io/library/redis:7"}, {"show", "--addr", addr},
	} {
		for _, stdout := range []*os.File{full, unread} {
			c := exec.CommandContext(t.Context(), os.Args[0], args...)
			c.Env = append(os.Environ(), "RUN_AS_SLIPWAY_SANDBOX=1")
			var stderr bytes.Buffer
			c.Stdout, c.Stderr = stdout, &stderr
			err := c.Run()
			if c.ProcessState == nil || c.ProcessState.ExitCode() != exitError {
				t.Errorf("%q to %s ended with %v, want exit code %d\n%s", args, stdout.Name(), err, exitError, &stderr)
			}
			if text := stderr.String(); !strings.Contains(text, "no space left") && !strings.Contains(text, "broken pipe") {
				t.Errorf("%q to %s says %q", args, stdout.Name(), text)
			}
		}
	}
}
