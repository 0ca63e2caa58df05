// Package testtools finds the programs that tests run and that no Go module
// brings: AWS CLIs, moto, cfn-lint, curl and git's HTTP server. `make test-tools` installs
// them.
package testtools

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"slipway/internal/daemontest"
)

// AWSCLI returns the path of version 2 of the AWS CLI. The distribution's comes
// before one in PATH.
var AWSCLI = sync.OnceValues(func() (string, error) {
	return awsCLI([]string{"/usr/bin/aws", "aws"})
})

func awsCLI(names []string) (string, error) {
	for _, name := range names {
		out, err := exec.Command(name, "--version").Output()
		if err == nil && bytes.HasPrefix(out, []byte("aws-cli/2.")) {
			return name, nil
		}
	}
	return "", errors.New("no AWS CLI of version 2 in PATH (apt-get install awscli)")
}

// CurrentAWSCLI returns the path of an AWS CLI of any version that knows pause
// hooks of ECS deployments, which came in 2026: the pinned one, else one in PATH.
var CurrentAWSCLI = sync.OnceValues(func() (string, error) {
	return currentAWSCLI([]string{pinned("aws"), "aws", "/usr/bin/aws"})
})

// currentAWSCLI asks for the operation without its arguments: each CLI fails,
// and one that knows the operation names the missing arguments.
func currentAWSCLI(names []string) (string, error) {
	for _, name := range names {
		out, err := exec.Command(name, "ecs", "continue-service-deployment").CombinedOutput()
		if err != nil && bytes.Contains(out, []byte("--hook-id")) {
			return name, nil
		}
	}
	return "", errors.New("no AWS CLI that has `ecs continue-service-deployment` (make test-tools)")
}

// Moto returns the path of moto_server, the pinned one or the one in PATH.
var Moto = sync.OnceValues(func() (string, error) {
	for _, name := range []string{pinned("moto_server"), "moto_server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no moto_server in .tools or PATH (make test-tools)")
})

// CFNLint returns the path of cfn-lint, the pinned one or the one in PATH.
var CFNLint = sync.OnceValues(func() (string, error) {
	for _, name := range []string{pinned("cfn-lint"), "cfn-lint"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no cfn-lint in .tools or PATH (make test-tools)")
})

// pinned returns the path at which `make test-tools` installs a Python program.
func pinned(name string) string {
	tools, err := daemontest.Tools()
	if err != nil {
		return name
	}
	return filepath.Join(tools, "python", "contract", "bin", name)
}

// Curl returns the path of curl.
func Curl() (string, error) {
	path, err := exec.LookPath("curl")
	if err != nil {
		return "", fmt.Errorf("%w (apt-get install curl)", err)
	}
	return path, nil
}

// GitHTTPBackend returns the path of the program that serves a git repository
// over HTTP.
func GitHTTPBackend() (string, error) {
	dir, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return "", fmt.Errorf("git --exec-path: %w", err)
	}
	path := filepath.Join(strings.TrimSpace(string(dir)), "git-http-backend")
	_, err = os.Stat(path)
	return path, err
}

// Required reports whether a missing program fails a test: if
// SLIPWAY_REQUIRE_TOOLS is 1.
func Required() bool { return os.Getenv("SLIPWAY_REQUIRE_TOOLS") == "1" }

// Require returns the path that find returns. If find fails, it skips the test,
// or fails it if Required.
func Require(t testing.TB, find func() (string, error)) string {
	t.Helper()
	path, err := find()
	switch {
	case err == nil:
	case Required():
		t.Fatalf("SLIPWAY_REQUIRE_TOOLS=1: %v", err)
	default:
		t.Skipf("LEFT OUT: %v", err)
	}
	return path
}
