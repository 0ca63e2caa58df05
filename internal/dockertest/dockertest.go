// Package dockertest starts real Docker engines for tests: the distribution's and
// a current one, each with its own containerd, data and socket. Everything is
// removed when the tests end. Tests are skipped with a message if an engine cannot
// run.
package dockertest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"slipway/internal/daemontest"
)

const (
	// startLimit is how long an engine may take until it answers.
	startLimit = time.Minute
	// stopLimit is how long an engine may take to end after SIGTERM, before
	// SIGKILL. It gives its containers 10 s of that.
	stopLimit = 20 * time.Second
)

// Engine is a Docker engine for tests. Its methods must not be called by several
// goroutines at once. The engine itself serves any number of clients.
type Engine struct {
	// Kind is the kind that was requested.
	Kind Kind
	// Host is the engine's address for DOCKER_HOST: "unix://…". Stop and Run do not
	// change it.
	Host string
	// TLSHost is the engine's second address, "tcp://127.0.0.1:…", and CertDir its
	// directory for DOCKER_CERT_PATH, with ca.pem, cert.pem and key.pem. Both are
	// empty without the option TLS.
	TLSHost, CertDir string

	dir     string
	options options
	daemon  *daemontest.Daemon // nil while it does not run
	log     string             // of the runs before
}

// Start starts an engine for this test alone and stops it when the test ends.
// It calls Require first, so a test does not have to. The engine's log is printed
// if the test fails.
func Start(t testing.TB, k Kind, opts ...Option) *Engine {
	t.Helper()
	Require(t, k)
	e, err := Launch(t.Context(), k, opts...)
	if err != nil {
		t.Fatalf("starting the Docker engine (%s): %v", k, err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("stopping the Docker engine (%s): %v", k, err)
		}
		if t.Failed() {
			t.Logf("log of the Docker engine (%s):\n%s", k, e.Log())
		}
	})
	return e
}

// Launch starts an engine without a test. Call Available first and Close at the
// end. The context limits only the start.
func Launch(ctx context.Context, k Kind, opts ...Option) (*Engine, error) {
	dir, err := daemontest.Dir("docker-")
	if err != nil {
		return nil, err
	}
	e := &Engine{Kind: k, Host: "unix://" + filepath.Join(dir, "docker.sock"), dir: dir}
	for _, o := range opts {
		o(&e.options)
	}
	if err := e.prepare(); err != nil {
		return nil, errors.Join(err, daemontest.RemoveAll(dir))
	}
	if err := e.Run(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// prepare writes the files that the daemon reads.
func (e *Engine) prepare() error {
	config, err := e.options.config(e.Kind, filepath.Join(e.dir, "key.json"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.dir, "daemon.json"), config, 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(e.dir, "private"), 0o700); err != nil {
		return err
	}
	if !e.options.tls {
		return nil
	}
	if e.TLSHost, err = daemontest.FreePort(); err != nil {
		return err
	}
	e.CertDir = filepath.Join(e.dir, "certs")
	return daemontest.WriteCerts(e.CertDir, filepath.Join(e.dir, "server"))
}

// Stop stops the daemon and keeps its images and cache for Run.
func (e *Engine) Stop() error {
	if e.daemon == nil {
		return nil
	}
	err := e.daemon.Stop(stopLimit)
	e.log += e.daemon.Log()
	e.daemon = nil
	return err
}

// Log returns the engine's log.
func (e *Engine) Log() string {
	if e.daemon == nil {
		return e.log
	}
	return e.log + e.daemon.Log()
}

// PID returns the daemon's process ID, for tests that kill it. Its containerd,
// shims and containers end with it.
func (e *Engine) PID() int { return e.daemon.PID() }

// Close stops the engine and removes its files. It is for an engine of Launch; the
// others are closed with their tests.
func (e *Engine) Close() error {
	return errors.Join(e.Stop(), e.removeCgroups(), daemontest.RemoveAll(e.dir))
}
