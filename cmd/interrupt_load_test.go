package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterruptWhileLoading ends a command whose compose project keeps compose-go busy
// for minutes, or whose env file never ends. The env file is a pipe that is larger than
// what the system buffers: once it is written, slipway has begun to read it.
func TestInterruptWhileLoading(t *testing.T) {
	for _, c := range []struct {
		name string
		ends bool // the env file does
	}{
		{"a pipe without an end", false},
		{"a busy library", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			// A guard against a hang, far above what the end takes.
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer write.Close()
			var out strings.Builder
			slipway := exec.CommandContext(ctx, "slipway", append([]string{"build", "--plan", "--hash", "h",
				"--project-directory", dir, "--env-file", "/dev/fd/3"}, slowProject(t, dir)...)...)
			slipway.Stdout, slipway.Stderr, slipway.ExtraFiles = &out, &out, []*os.File{read}
			if err := errors.Join(slipway.Start(), read.Close()); err != nil {
				t.Fatal(err)
			}
			_, err = write.WriteString(strings.Repeat("# nothing\n", 20_000))
			if c.ends {
				err = errors.Join(err, write.Close())
			}
			if err := errors.Join(err, slipway.Process.Signal(syscall.SIGTERM)); err != nil {
				t.Fatal(err)
			}
			err = slipway.Wait()
			if code := slipway.ProcessState.ExitCode(); code != exitInterrupted {
				t.Errorf("exit code %d (%v), want %d\n%s", code, err, exitInterrupted, &out)
			}
		})
	}
}

// slowProject writes compose files within all limits that compose-go takes minutes for,
// and returns the flags that name them.
func slowProject(t *testing.T, dir string) []string {
	t.Helper()
	var args []string
	for f := range 60 {
		var b strings.Builder
		b.WriteString("name: p\nservices:\n")
		for s := range 40 {
			fmt.Fprintf(&b, "  s%d:\n    build: .\n    environment:\n", s)
			for v := range 500 {
				fmt.Fprintf(&b, "      V%d: ${A:-some value here}\n", v)
			}
		}
		path := filepath.Join(dir, fmt.Sprintf("%d.yaml", f))
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--file", path)
	}
	return args
}
