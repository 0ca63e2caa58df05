package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Compile compiles the source of a Go program, which imports only the standard
// library, to a file without dependencies on the system's libraries.
func Compile(t testing.TB, source, file string) {
	t.Helper()
	main := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(main, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := compile(main, file, "GOFLAGS="); err != nil {
		t.Fatal(err)
	}
}

// Probe returns the executable of testdata/probe, which in a step of a build
// reports what it can see and reach. It is compiled once for all tests.
var Probe = program("slipway/internal/testkit/testdata/probe")

// App returns the executable of testdata/app, the program of images whose
// containers run in tests. It is compiled once for all tests.
var App = program("slipway/internal/testkit/testdata/app")

// DockerfileFrontend returns the executable of BuildKit's Dockerfile frontend, the
// only file of the images docker/dockerfile. It is compiled once for all tests.
var DockerfileFrontend = program("github.com/moby/buildkit/frontend/dockerfile/cmd/dockerfile-frontend")

// program returns a function that returns the executable of a package.
func program(source string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "program")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, "program")
		if err := compile(source, file); err != nil {
			return "", err
		}
		data, err := os.ReadFile(file)
		return string(data), err
	})
}

func compile(source, file string, environ ...string) error {
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", file, source)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling %s: %w\n%s", source, err, out)
	}
	return nil
}
