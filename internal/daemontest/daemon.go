// Package daemontest has the common parts of the packages that start daemons for
// tests: a process that ends with the tests, its log and its directory. It skips
// tests with a message if a daemon cannot run.
package daemontest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Daemon is a running process.
type Daemon struct {
	name string
	cmd  *exec.Cmd
	log  logBuffer
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; read after done
}

// Start starts cmd, whose output becomes the daemon's log; errors call it name.
func Start(name string, cmd *exec.Cmd) (*Daemon, error) {
	d := &Daemon{name: name, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	started := make(chan error, 1)
	go d.live(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return d, nil
}

// live starts the process and waits for its end on one thread: Linux sends the
// parent-death signal when the thread that started the process ends.
func (d *Daemon) live(started chan<- error) {
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

// Log returns the daemon's log.
func (d *Daemon) Log() string { return d.log.String() }

// PID returns the daemon's process ID.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// WaitReady calls ask until it returns nil. It returns an error with the daemon's
// log if the daemon ends first or ctx does.
func (d *Daemon) WaitReady(ctx context.Context, ask func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("no socket yet")
	for {
		select {
		case <-d.done:
			return fmt.Errorf("%s ended at once: %w; its log:\n%s", d.name, d.err, d.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w: %w; its log:\n%s", d.name, context.Cause(ctx), last, d.Log())
		case <-tick.C:
			if last = ask(ctx); last == nil {
				return nil
			}
		}
	}
}

// Stop stops the daemon and returns when it has ended: by SIGTERM, and after limit
// by SIGKILL.
func (d *Daemon) Stop(limit time.Duration) error {
	if err := d.signal(syscall.SIGTERM); err != nil {
		return err
	}
	over := time.NewTimer(limit)
	defer over.Stop()
	select {
	case <-d.done:
		return nil
	case <-over.C:
	}
	if err := d.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-d.done
	return nil
}

func (d *Daemon) signal(s syscall.Signal) error {
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
