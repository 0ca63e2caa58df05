package dockertest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"slipway/internal/daemontest"
)

// ErrUnavailable is wrapped by all errors of Available.
var ErrUnavailable = errors.New("no Docker engine of this kind can run here")

var available = [...]func() error{
	Classic:         sync.OnceValue(func() error { return look(Classic) }),
	ContainerdStore: sync.OnceValue(func() error { return look(ContainerdStore) }),
	CurrentClassic:  sync.OnceValue(func() error { return look(CurrentClassic) }),
}

// Available returns an error if no engine of the kind can run here: a binary is
// missing, the system is not Linux, or the user may not mount. The error wraps
// ErrUnavailable.
func Available(k Kind) error { return available[k]() }

func look(k Kind) error {
	if err := lookFor(k); err != nil {
		return fmt.Errorf("%w (%s): %w", ErrUnavailable, k, err)
	}
	return nil
}

func lookFor(k Kind) error {
	if err := host(); err != nil {
		return err
	}
	p, err := find(k)
	if err != nil {
		return err
	}
	return probe(p)
}

func host() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("dockerd runs on Linux, this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("dockerd with its overlay stores is run by root only")
	}
	return nil
}

// Required reports whether tests must fail if no engine of the kind can run: if
// SLIPWAY_REQUIRE_ENGINE is 1, and `make docker-engines` can install one here.
func Required(k Kind) bool {
	if !daemontest.Required() || host() != nil {
		return false
	}
	_, err := exec.LookPath("apt-get")
	return k != Classic || err == nil
}

// Require skips the test with a message if no engine of the kind can run, or fails
// it if Required.
func Require(t testing.TB, k Kind) {
	t.Helper()
	daemontest.Require(t, Available(k), Required(k))
}

// programs are the programs of an engine.
type programs struct {
	dockerd string
	// bins are the directories of containerd, its shim and runc.
	bins []string
	// libs are shared libraries that the system may lack.
	libs []string
}

// find looks in $SLIPWAY_TEST_DOCKER, else in .tools in the module's root, for
// docker-classic, with Debian's packages unpacked, and docker, with the programs
// built from Go modules. Without packages, Classic is the dockerd in PATH.
func find(k Kind) (programs, error) {
	dir := os.Getenv("SLIPWAY_TEST_DOCKER")
	system := dir == ""
	if system {
		var err error
		if dir, err = daemontest.Tools(); err != nil {
			return programs{}, fmt.Errorf("%w: set SLIPWAY_TEST_DOCKER", err)
		}
	}
	if k != Classic {
		own := filepath.Join(dir, "docker")
		p := programs{dockerd: filepath.Join(own, "dockerd"), bins: []string{own}}
		return p, p.missing("containerd", "containerd-shim-runc-v2", "runc")
	}
	p := packaged(filepath.Join(dir, "docker-classic"))
	err := p.missing("containerd", "runc")
	if err != nil && system {
		if bin, lookErr := exec.LookPath("dockerd"); lookErr == nil {
			return programs{dockerd: bin}, nil
		}
	}
	return p, err
}

func packaged(dir string) programs {
	p := programs{
		dockerd: filepath.Join(dir, "usr", "sbin", "dockerd"),
		bins:    []string{filepath.Join(dir, "usr", "sbin"), filepath.Join(dir, "usr", "bin")},
	}
	for _, pattern := range []string{"lib/*-linux-*", "usr/lib/*-linux-*"} {
		dirs, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is well-formed
		p.libs = append(p.libs, dirs...)
	}
	return p
}

func (p programs) missing(others ...string) error {
	if _, err := os.Stat(p.dockerd); err != nil {
		return fmt.Errorf("%w (`make docker-engines` brings it)", err)
	}
	for _, name := range others {
		if !p.has(name) {
			return fmt.Errorf("no %s next to %s (`make docker-engines` installs it)", name, p.dockerd)
		}
	}
	return nil
}

func (p programs) has(name string) bool {
	for _, dir := range p.bins {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}
