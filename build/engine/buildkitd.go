package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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

	"slipway/build/engine/loss"
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
		e, err := dial(ctx, addr, "", probeTime, nil)
		if err == nil {
			e.Kind = Buildkitd
			return e, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", addr, err))
	}
	switch len(errs) {
	case 0:
		return nil, errors.New("no buildkitd is running")
	case 1:
		return nil, errs[0]
	default:
		return nil, fmt.Errorf("%w; %w", errs[0], errs[1])
	}
}

// dial connects and waits until the engine lists a worker. The guard, which may be nil, then
// watches the engine.
func dial(ctx context.Context, addr, tls string, wait time.Duration, guard *loss.Watch) (*Engine, error) {
	if err := allowed(ctx, addr); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	opts, err := tlsOptions(addr, tls)
	if err != nil {
		return nil, err
	}
	program, dialer, err := commandDialer(addr)
	if err != nil {
		return nil, err
	}
	watch := &commandWatch{program: program, end: cancel}
	if dialer != nil {
		opts = append(opts, client.WithContextDialer(watch.dialer(dialer)))
	}
	if guard != nil {
		opts = append(opts, guard.Option())
	}
	c, err := client.New(ctx, addr, opts...)
	if err != nil {
		return nil, err
	}
	e := &Engine{Client: c, Address: shown(addr), SameHost: sameHost(addr)}
	workers, err := awaitWorkers(ctx, c)
	if err != nil {
		return nil, errors.Join(watch.instead(within(ctx, wait, err)), c.Close())
	}
	e.describe(workers)
	e.Version = e.BuildKit
	if guard != nil {
		end := guard.Start(ctx, c, watch.instead)
		e.Watch, e.stop = guard, func(context.Context) error { end(); return nil }
	}
	return e, nil
}

// allowed returns the error for a socket that this user may not write to.
// Waiting does not change that, and the client reports it as text only.
func allowed(ctx context.Context, addr string) error {
	path, ok := strings.CutPrefix(addr, "unix://")
	if !ok {
		return nil
	}
	conn, err := (&net.Dialer{Timeout: probeTime}).DialContext(ctx, "unix", path)
	if err == nil {
		return conn.Close()
	}
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
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

// describe keeps the properties of the worker that builds: the first one, which
// is BuildKit's default.
func (e *Engine) describe(workers []*client.WorkerInfo) {
	e.Snapshotter, e.BuildKit = workers[0].Labels[label.Snapshotter], workers[0].BuildkitVersion.Version
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

// sameHost reports whether the address certainly leads to this host.
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
