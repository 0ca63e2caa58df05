package enginetest

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/client"

	"slipway/internal/daemontest"
)

func startDaemon(config, dir string) (*daemontest.Daemon, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, append([]string{"--config", config}, modeArgs()...)...)
	cmd.Dir = dir
	cmd.Env = daemontest.Environment(dir, filepath.Dir(bin)) // runc is there
	cmd.SysProcAttr = isolation()
	return daemontest.Start(bin, cmd)
}

// ask first dials without gRPC: its client waits a second after each refusal.
func ask(ctx context.Context, addr string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(addr, "unix://"))
	if err != nil {
		return err
	}
	conn.Close()
	c, err := client.New(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	workers, err := c.ListWorkers(ctx)
	if err == nil && len(workers) == 0 {
		err = errors.New("it has no worker")
	}
	return err
}
