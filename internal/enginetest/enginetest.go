// Package enginetest gives tests a real BuildKit daemon: the one pinned in
// tools/engine, started on a socket and a root directory of its own and gone
// without a trace at the end. Where none can run, a test is left out aloud.
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

// Engine is a BuildKit daemon that belongs to the tests. Its methods are not
// meant for several goroutines at once; the daemon behind it serves any number.
type Engine struct {
	// Addr is where the daemon listens, as "unix://…". It stays the same
	// over Restart and Empty.
	Addr string
	// TLSAddr is the daemon's second address, "tcp://127.0.0.1:…", and CertDir a directory
	// with the ca.pem, cert.pem and key.pem for it. Both are empty without the option TLS.
	TLSAddr, CertDir string

	dir     string // socket, configuration and, unless kept, the root
	root    string
	options options
	daemon  *daemontest.Daemon
}

// Start starts a daemon for this test alone and stops it when the test ends.
// It calls Require first, so a test need not. The daemon's log is shown if the
// test fails.
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

// Restart ends the daemon and starts it again with everything it has cached.
// Builds under way fail.
func (e *Engine) Restart(t testing.TB) {
	t.Helper()
	if err := e.again(t.Context(), func() error { return nil }); err != nil {
		t.Fatalf("starting the test engine again: %v", err)
	}
}

// Empty ends the daemon and starts it again with nothing cached, like the
// fresh host that every CodeBuild job gets. Builds under way fail.
func (e *Engine) Empty(t testing.TB) {
	t.Helper()
	if err := e.Renew(t.Context()); err != nil {
		t.Fatalf("starting the test engine again: %v", err)
	}
}

// Renew is Empty without a test around it. After an error no daemon runs.
func (e *Engine) Renew(ctx context.Context) error {
	return e.again(ctx, func() error { return daemontest.RemoveAll(e.root) })
}

// Log returns what the daemon has written since it was last started.
func (e *Engine) Log() string { return e.daemon.Log() }

// PID is the daemon's process, for tests that kill it.
func (e *Engine) PID() int { return e.daemon.PID() }

func (e *Engine) again(ctx context.Context, between func() error) error {
	if err := e.daemon.Stop(stopLimit); err != nil {
		return err
	}
	if err := between(); err != nil {
		return err
	}
	return e.run(ctx)
}

// Launch starts a daemon that no test owns, for programs that measure: they
// look at Available first and call Close at the end. The context bounds the
// start alone.
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

// Close stops the daemon and removes what it left, but not a kept root. It is
// for an engine from Launch; the others are closed with their tests.
func (e *Engine) Close() error {
	return errors.Join(e.daemon.Stop(stopLimit), daemontest.RemoveAll(e.dir))
}
