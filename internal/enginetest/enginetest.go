// Package enginetest starts a real BuildKit daemon for tests: the version that
// tools/engine pins, with a separate socket and root directory. Everything is
// removed when the tests end. Tests are skipped with a message if no daemon can
// run.
package enginetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/buildkit/client"

	"slipway/internal/daemontest"
)

const (
	// startLimit is how long a daemon may take until it answers.
	startLimit = time.Minute
	// stopLimit is how long a daemon may take to end after SIGTERM, before
	// SIGKILL.
	stopLimit = 10 * time.Second
)

// Engine is a BuildKit daemon for tests. Its methods must not be called by several
// goroutines at once. The daemon itself serves any number of clients.
type Engine struct {
	// Addr is the daemon's address, "unix://…". Restart and Empty do not change it.
	Addr string
	// TLSAddr is the daemon's second address, "tcp://127.0.0.1:…", and CertDir a directory
	// with the ca.pem, cert.pem and key.pem for it. Both are empty without the option TLS.
	TLSAddr, CertDir string

	dir     string // socket, configuration and, unless kept, the root
	root    string
	options options
	daemon  *daemontest.Daemon
	// ended is the log of the daemons before this one.
	ended string
}

// Start starts a daemon for this test alone and stops it when the test ends.
// It calls Require first, so a test does not have to. The daemon's log is printed
// if the test fails.
func Start(t testing.TB, opts ...Option) *Engine {
	t.Helper()
	Require(t)
	e, err := Launch(t.Context(), opts...)
	if err != nil {
		t.Fatalf("starting the test engine: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("stopping the test engine: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the test engine:\n%s", e.Log())
		}
	})
	return e
}

// Client connects to the daemon; the connection is closed when the test ends.
func (e *Engine) Client(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(t.Context(), e.Addr)
	if err != nil {
		t.Fatalf("connecting to the test engine: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Restart stops the daemon and starts it again with its cache. Running builds fail.
func (e *Engine) Restart(t testing.TB) {
	t.Helper()
	if err := e.again(t.Context(), func() error { return nil }); err != nil {
		t.Fatalf("starting the test engine again: %v", err)
	}
}

// Empty stops the daemon and starts it again without its cache, like the new host
// of every CodeBuild job. Running builds fail.
func (e *Engine) Empty(t testing.TB) {
	t.Helper()
	if err := e.Renew(t.Context()); err != nil {
		t.Fatalf("starting the test engine again: %v", err)
	}
}

// Renew is Empty for a daemon without a test. After an error no daemon runs.
func (e *Engine) Renew(ctx context.Context) error {
	return e.again(ctx, func() error { return daemontest.RemoveAll(e.root) })
}

// Log returns the daemon's log since Start. Restart and Empty continue it.
func (e *Engine) Log() string { return e.ended + e.daemon.Log() }

// PID returns the daemon's process ID, for tests that kill it.
func (e *Engine) PID() int { return e.daemon.PID() }

func (e *Engine) again(ctx context.Context, between func() error) error {
	if err := e.daemon.Stop(stopLimit); err != nil {
		return err
	}
	log := e.Log()
	if err := between(); err != nil {
		return err
	}
	if err := e.run(ctx); err != nil {
		return err
	}
	e.ended = log
	return nil
}

// Launch starts a daemon without a test, for benchmarks. They call Available first
// and Close at the end. The context limits only the start.
func Launch(ctx context.Context, opts ...Option) (*Engine, error) {
	dir, err := daemontest.Dir("engine-")
	if err != nil {
		return nil, err
	}
	e := &Engine{Addr: "unix://" + filepath.Join(dir, "s"), dir: dir, root: filepath.Join(dir, "root")}
	for _, o := range opts {
		o(&e.options)
	}
	if e.options.root != "" {
		e.root = e.options.root
	}
	if err := e.listenTLS(); err != nil {
		return nil, errors.Join(err, daemontest.RemoveAll(dir))
	}
	if err := e.run(ctx); err != nil {
		return nil, errors.Join(err, daemontest.RemoveAll(dir))
	}
	return e, nil
}

func (e *Engine) listenTLS() (err error) {
	if !e.options.tls {
		return nil
	}
	if e.TLSAddr, err = daemontest.FreePort(); err != nil {
		return err
	}
	e.CertDir = filepath.Join(e.dir, "certs")
	e.options.tcp, e.options.certs = e.TLSAddr, filepath.Join(e.dir, "server")
	return daemontest.WriteCerts(e.CertDir, e.options.certs)
}

func (e *Engine) run(ctx context.Context) error {
	config := filepath.Join(e.dir, "buildkitd.toml")
	if err := os.WriteFile(config, []byte(e.options.toml(e.root, e.Addr)), 0o600); err != nil {
		return err
	}
	d, err := startDaemon(config, e.dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := d.WaitReady(ctx, func(ctx context.Context) error { return ask(ctx, e.Addr) }); err != nil {
		return errors.Join(err, d.Stop(stopLimit))
	}
	e.daemon = d
	return nil
}

// Close stops the daemon and removes its files, except a kept root. It is for an
// engine of Launch; the others are closed with their tests.
func (e *Engine) Close() error {
	return errors.Join(e.daemon.Stop(stopLimit), daemontest.RemoveAll(e.dir))
}
