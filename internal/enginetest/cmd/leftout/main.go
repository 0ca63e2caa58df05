// Command leftout prints which tests `make test` could not run, and why. It
// looks for the engines and programs that the tests look for: go test does not
// print the output of a skipped test. It prints nothing if all of them are
// there. It fails if an engine is missing and SLIPWAY_REQUIRE_ENGINE is 1, or
// another program and SLIPWAY_REQUIRE_TOOLS is 1.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"slipway/internal/dockertest"
	"slipway/internal/enginetest"
	"slipway/internal/testtools"
)

func main() {
	os.Exit(report(os.Stderr, gaps()))
}

// gap is a set of tests that cannot run here.
type gap struct {
	tests string
	// why is nil where they can.
	why error
	// required marks the tests that must not be left out here.
	required bool
}

func gaps() []gap {
	return []gap{
		{"every test against a real BuildKit daemon", enginetest.Available(), enginetest.Required()},
		docker("tests against the distribution's Docker engine, with the classic store", dockertest.Classic),
		docker("tests against a current Docker engine, with the containerd store", dockertest.ContainerdStore),
		docker("tests against a current Docker engine, with the classic store", dockertest.CurrentClassic),
		program("the sandbox's answers checked by the AWS CLI, against Amazon's own models", testtools.AWSCLI),
		program("the sandbox's service deployments, service revisions and pause hooks checked by the AWS CLI", testtools.CurrentAWSCLI),
		program("the sandbox compared with moto, which imitates the same services", testtools.Moto),
		program("the derived task definitions checked by cfn-lint", testtools.CFNLint),
		program("builds from a remote git context", testtools.GitHTTPBackend),
		program("the programs that a buildspec installs, fetched with curl", testtools.Curl),
		{"the order in which engines are searched for", otherBuildkitd(), testtools.Required()},
	}
}

// program returns the gap of tests that need a program besides the engines.
func program(tests string, find func() (string, error)) gap {
	_, err := find()
	return gap{tests, err, testtools.Required()}
}

func docker(tests string, k dockertest.Kind) gap {
	return gap{tests, dockertest.Available(k), dockertest.Required(k)}
}

// otherBuildkitd looks for a daemon that every search would find.
func otherBuildkitd() error {
	const socket = "/run/buildkit/buildkitd.sock"
	if _, err := os.Stat(socket); err == nil {
		return errors.New("a buildkitd runs on this machine, at " + socket)
	}
	return nil
}

// report returns the exit code.
func report(w io.Writer, gaps []gap) int {
	code := 0
	var out strings.Builder
	for _, g := range gaps {
		if g.why == nil {
			continue
		}
		fmt.Fprintf(&out, "* LEFT OUT: %s\n* %v\n", g.tests, g.why)
		if g.required {
			code = 1
		}
	}
	if out.Len() > 0 {
		line := strings.Repeat("*", 78)
		fmt.Fprintf(w, "%s\n%s%s\n", line, out.String(), line)
	}
	return code
}
