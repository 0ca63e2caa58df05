package dockertest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/moby/client"

	"slipway/internal/daemontest"
)

// Run starts the daemon, also again after Stop, and returns when it answers.
func (e *Engine) Run(ctx context.Context) error {
	p, err := find(e.Kind)
	if err != nil {
		return err
	}
	// A killed daemon leaves files with process IDs that may belong to other
	// processes now. The name is short because of the sockets deep below it.
	exec, pidfile := filepath.Join(e.dir, "x"), filepath.Join(e.dir, "docker.pid")
	if err := errors.Join(os.RemoveAll(exec), os.RemoveAll(pidfile)); err != nil {
		return err
	}
	args := append(e.Kind.args(),
		"--config-file="+filepath.Join(e.dir, "daemon.json"),
		"--data-root="+filepath.Join(e.dir, "data"),
		"--exec-root="+exec,
		"--pidfile="+pidfile,
		"--cgroup-parent="+e.cgroup(),
		"--host="+e.Host)
	if e.options.tls {
		server := filepath.Join(e.dir, "server")
		args = append(args, "--host="+e.TLSHost, "--tlsverify",
			"--tlscacert="+filepath.Join(server, daemontest.CAFile),
			"--tlscert="+filepath.Join(server, daemontest.CertFile),
			"--tlskey="+filepath.Join(server, daemontest.KeyFile))
	}
	d, err := daemontest.Start(p.dockerd, p.command(e.dir, args...))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := d.WaitReady(ctx, e.ask); err != nil {
		return errors.Join(err, d.Stop(stopLimit))
	}
	e.daemon = d
	return nil
}

func (e *Engine) ask(ctx context.Context) error {
	c, err := client.New(client.WithHost(e.Host))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Ping(ctx, client.PingOptions{})
	return err
}

// cgroup is the parent of the engine's cgroups. The engine does not remove it.
func (e *Engine) cgroup() string { return "/slipway-" + filepath.Base(e.dir) }

// removeCgroups removes it, from each controller's tree if there are several. The
// files are removed with the directories.
func (e *Engine) removeCgroups() error {
	var dirs []string
	for _, pattern := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		roots, _ := filepath.Glob(pattern + e.cgroup()) // the pattern is well-formed
		for _, root := range roots {
			filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
		}
	}
	var errs []error
	for i := len(dirs) - 1; i >= 0; i-- { // what is below first
		if err := os.Remove(dirs[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
