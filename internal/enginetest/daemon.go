package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/buildkit/client"
)

// daemon is one running buildkitd.
type daemon struct {
	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; read after done
}

func startDaemon(config, dir string) (*daemon, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	d := &daemon{log: &logBuffer{}, done: make(chan struct{})}
	d.cmd = exec.Command(bin, append([]string{"--config", config}, modeArgs()...)...)
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	d.cmd.Dir = dir
	d.cmd.Env = environment(filepath.Dir(bin), dir)
	d.cmd.SysProcAttr = isolation()
	started := make(chan error, 1)
	go d.live(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", bin, err)
	}
	return d, nil
}

// live starts the process and waits for its end on one thread: Linux ends the
// daemon when the thread that started it goes.
func (d *daemon) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := d.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	d.err = d.cmd.Wait()
	close(d.done)
}

// environment leaves out what would make a daemon behave otherwise on one
// machine than on another, and finds runc beside the daemon first.
func environment(binDir, dir string) []string {
	env := []string{
		"PATH=" + binDir + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + dir, "TMPDIR=" + dir, "XDG_RUNTIME_DIR=" + dir,
	}
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasSuffix(strings.ToLower(name), "_proxy") || strings.HasPrefix(name, "SSL_CERT_") {
			env = append(env, e)
		}
	}
	return env
}

// waitReady returns once the daemon names its workers, or with an error when
// it ends or ctx does.
func (d *daemon) waitReady(ctx context.Context, addr string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("no socket yet")
	for {
		select {
		case <-d.done:
			return fmt.Errorf("buildkitd ended at once: %w", d.err)
		case <-ctx.Done():
			return fmt.Errorf("buildkitd does not answer on %s: %w: %w", addr, context.Cause(ctx), last)
		case <-tick.C:
			if last = ask(ctx, addr); last == nil {
				return nil
			}
		}
	}
}

// ask dials by hand first: a gRPC client waits a second after each refusal.
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

// stop ends the daemon and returns when it has gone. The daemon waits for open
// streams, so a test that left one makes this take stopLimit.
func (d *daemon) stop() error {
	if err := d.signal(syscall.SIGTERM); err != nil {
		return err
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-d.done:
		return nil
	case <-limit.C:
	}
	if err := d.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-d.done
	return nil
}

func (d *daemon) signal(s syscall.Signal) error {
	if err := d.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// logBuffer may be read while the daemon writes.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
