// Command leftout lists the tests that `make test` could not run, with the reasons.
// It checks the same requirements as the tests, because the output of a skipped test
// is easily overlooked, and that of a cached one is not printed. It prints nothing
// if nothing is missing, and fails if an engine is missing and
// SLIPWAY_REQUIRE_ENGINE is 1.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"slipway/internal/dockertest"
	"slipway/internal/enginetest"
)

func main() {
	os.Exit(report(os.Stderr, gaps()))
}

// gap is a set of tests that cannot run here.
type gap struct {
	tests string
	// why is nil if they can.
	why error
	// required marks the tests that must not be skipped here.
	required bool
}

func gaps() []gap {
	cli := []string{"/usr/bin/aws", "aws"}
	return []gap{
		{"every test against a real BuildKit daemon", enginetest.Available(), enginetest.Required()},
		docker("tests against the distribution's Docker engine, with the classic store", dockertest.Classic),
		docker("tests against a current Docker engine, with the containerd store", dockertest.ContainerdStore),
		docker("tests against a current Docker engine, with the classic store", dockertest.CurrentClassic),
		{"the sandbox's answers checked by the AWS CLI, against Amazon's own models", awsCLI(cli), false},
		{"the sandbox's service deployments and revisions checked by the AWS CLI", newAWSCLI(cli), false},
		{"the sandbox held against moto, which imitates the same services", moto(), false},
		{"builds from a remote git context", gitServer(), false},
		{"the order in which engines are searched for", otherBuildkitd(), false},
		{"what a buildspec installs, fetched with curl", curl(), false},
	}
}

func docker(tests string, k dockertest.Kind) gap {
	return gap{tests, dockertest.Available(k), dockertest.Required(k)}
}

// awsCLI looks for version 2, as Debian's awscli is.
func awsCLI(names []string) error {
	for _, name := range names {
		if out, err := exec.Command(name, "--version").Output(); err == nil && strings.HasPrefix(string(out), "aws-cli/2.") {
			return nil
		}
	}
	return errors.New("no AWS CLI of version 2 in PATH (apt-get install awscli)")
}

// newAWSCLI looks, apart from version 2, for any version that has service
// deployments, which were added in October 2024.
func newAWSCLI(names []string) error {
	if err := awsCLI(names); err != nil {
		return err
	}
	for _, name := range names {
		// It always fails without --service. An older one fails earlier.
		out, err := exec.Command(name, "ecs", "list-service-deployments").CombinedOutput()
		if err != nil && bytes.Contains(out, []byte("--service")) && !bytes.Contains(out, []byte("nvalid choice")) {
			return nil
		}
	}
	return errors.New("the AWS CLI is older than October 2024 (pip install awscli)")
}

func moto() error {
	if _, err := exec.LookPath("moto_server"); err != nil {
		return fmt.Errorf("%w (pip install \"moto[server]\")", err)
	}
	return nil
}

// otherBuildkitd looks for a daemon that every search would find.
func otherBuildkitd() error {
	const socket = "/run/buildkit/buildkitd.sock"
	if _, err := os.Stat(socket); err == nil {
		return errors.New("a buildkitd runs on this machine, at " + socket)
	}
	return nil
}

// gitServer looks for the part of git that serves a repository over http.
func gitServer() error {
	dir, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(strings.TrimSpace(string(dir)), "git-http-backend"))
	return err
}

func curl() error {
	if _, err := exec.LookPath("curl"); err != nil {
		return fmt.Errorf("%w (apt-get install curl)", err)
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
