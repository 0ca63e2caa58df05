package dockertest

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	buildkit "github.com/moby/buildkit/client"
	"github.com/moby/moby/client"

	"slipway/internal/daemontest"
)

// Docker connects to the engine's socket; the connection is closed when the
// test ends.
func (e *Engine) Docker(t testing.TB) *client.Client {
	t.Helper()
	return connect(t, client.WithHost(e.Host))
}

// DockerTLS connects to TLSHost with the certificates in CertDir.
func (e *Engine) DockerTLS(t testing.TB) *client.Client {
	t.Helper()
	file := func(name string) string { return filepath.Join(e.CertDir, name) }
	return connect(t, client.WithHost(e.TLSHost), client.WithTLSClientConfig(file(daemontest.CAFile), file(daemontest.CertFile), file(daemontest.KeyFile)))
}

func connect(t testing.TB, opts ...client.Opt) *client.Client {
	t.Helper()
	c, err := client.New(opts...)
	if err != nil {
		t.Fatalf("connecting to the Docker engine: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// BuildKit connects to the BuildKit in the engine, in the two ways that the
// engine has for it; the connection is closed when the test ends.
func (e *Engine) BuildKit(t testing.TB) *buildkit.Client {
	t.Helper()
	docker := e.Docker(t)
	c, err := buildkit.New(t.Context(), "",
		buildkit.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return docker.DialHijack(ctx, "/grpc", "h2c", nil)
		}),
		buildkit.WithSessionDialer(func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
			return docker.DialHijack(ctx, "/session", proto, meta)
		}))
	if err != nil {
		t.Fatalf("connecting to the Docker engine's BuildKit: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
