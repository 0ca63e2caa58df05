package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/appdefaults"
	"github.com/moby/buildkit/worker/label"
)

// running is a buildkitd at one of the default sockets, the system's and a user's.
func running(ctx context.Context) (*Engine, error) {
	var errs []error
	addresses := []string{appdefaults.Address, appdefaults.UserAddress()}
	for i, addr := range addresses {
		if i > 0 && addr == addresses[0] {
			continue
		}
		if _, err := os.Stat(strings.TrimPrefix(addr, "unix://")); err != nil {
			continue
		}
		e, err := dial(ctx, addr, "", probeTime)
		if err == nil {
			e.Kind = Buildkitd
			return e, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", addr, err))
	}
	if len(errs) == 0 {
		return nil, errors.New("no buildkitd is running")
	}
	return nil, errors.Join(errs...)
}

// dial connects and waits until the engine lists a worker.
func dial(ctx context.Context, addr, tls string, wait time.Duration) (*Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	opts, err := tlsOptions(addr, tls)
	if err != nil {
		return nil, err
	}
	c, err := client.New(ctx, addr, opts...)
	if err != nil {
		return nil, err
	}
	e := &Engine{Client: c, Address: shown(addr), SameHost: sameHost(addr)}
	workers, err := awaitWorkers(ctx, c)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	e.Version = workers[0].BuildkitVersion.Version
	e.describe(workers)
	return e, nil
}

// awaitWorkers asks for the workers until there is one.
func awaitWorkers(ctx context.Context, c *client.Client) ([]*client.WorkerInfo, error) {
	for {
		workers, err := c.ListWorkers(ctx)
		if err == nil && len(workers) > 0 {
			return workers, nil
		}
		if err == nil {
			err = errors.New("it has no worker")
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(retryPause):
		}
	}
}

// describe keeps what the worker tells that builds: the first one (BuildKit's default).
func (e *Engine) describe(workers []*client.WorkerInfo) {
	e.Snapshotter = workers[0].Labels[label.Snapshotter]
	for _, p := range workers[0].Platforms {
		e.Platforms = append(e.Platforms, platforms.Format(platforms.Normalize(p)))
	}
}

const retryPause = 50 * time.Millisecond

// tlsOptions are the certificates for a tcp:// address.
func tlsOptions(addr, dir string) ([]client.ClientOpt, error) {
	u, err := url.Parse(addr)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "tcp" || dir == "" {
		return nil, nil
	}
	return []client.ClientOpt{
		client.WithServerConfig(u.Hostname(), filepath.Join(dir, "ca.pem")),
		client.WithCredentials(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")),
	}, nil
}

// sameHost tells whether the address leads to this host for certain.
func sameHost(addr string) bool {
	u, err := url.Parse(addr)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "unix", "npipe":
		return true
	case "tcp":
		ip := net.ParseIP(u.Hostname())
		return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	default:
		return false
	}
}
