package run

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"slipway/internal/sandbox/ecs/process"
	"slipway/internal/sandbox/ecs/run/front"
	"slipway/internal/sandbox/ecs/run/rootfs"
	"slipway/internal/sandbox/ecs/run/runc"
	"slipway/internal/sandbox/ecs/run/statedir"
)

// Runner runs tasks.
type Runner struct {
	options  Options
	runtime  runc.Runtime
	state    *statedir.Dir
	images   *rootfs.Store
	front    *front.Front
	memory   bool   // a cgroup can limit it
	maxFiles uint64 // that a container may open

	closed chan struct{}
	mu     sync.Mutex // so that no task is added while Close waits for them
	tasks  sync.WaitGroup
}

// New returns a runner, or the reason why this host cannot run containers. It
// first removes what killed sandboxes have left behind.
func New(o Options) (*Runner, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("only root can run containers")
	}
	program, err := o.Runc, error(nil)
	if program == "" {
		program, err = runc.Find()
	}
	if err != nil {
		return nil, err
	}
	root := cmp.Or(o.State, "/run/slipway-sandbox")
	if err := statedir.Sweep(root, func(path string) error { return deleteAll(runtimeIn(program, path)) }); err != nil {
		return nil, err
	}
	state, err := statedir.Open(root, o.Dir)
	if err != nil {
		return nil, err
	}
	r := &Runner{
		options: o, runtime: runtimeIn(program, state.Path), state: state, front: front.New(o.Opened),
		images: rootfs.NewStore(filepath.Join(o.Dir, "run", "images")), closed: make(chan struct{}),
	}
	if err := r.try(); err != nil {
		return nil, errors.Join(err, state.Close())
	}
	return r, nil
}

func runtimeIn(program, state string) runc.Runtime {
	return runc.Runtime{Program: program, Root: filepath.Join(state, "runc")}
}

// deleteAll kills and removes the containers of a runtime.
func deleteAll(r runc.Runtime) error {
	ids, err := r.Containers()
	for _, id := range ids {
		err = errors.Join(err, r.Delete(id))
	}
	return err
}

// try runs a container, and finds out whether its memory can be limited.
func (r *Runner) try() error {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	r.maxFiles = files.Max
	for _, limit := range []int64{64 << 20, 0} {
		err := r.tryWith(limit)
		if err == nil {
			r.memory = limit > 0
			return nil
		}
		if limit == 0 {
			return fmt.Errorf("a container does not start: %w", err)
		}
	}
	return nil
}

// Listeners returns the ports of this host that lead to tasks.
func (r *Runner) Listeners() []front.Listener { return r.front.Listeners() }

// Start starts a task.
func (r *Runner) Start(t process.Task, report func(process.State)) process.Process {
	out := newTask(r, t, report)
	r.mu.Lock()
	defer r.mu.Unlock()
	if isClosed(r.closed) {
		go out.run() // which ends at once
	} else {
		r.tasks.Go(out.run)
	}
	return out
}

// Close kills all containers and removes what has been made on this host, apart
// from the directory Dir. It is called once.
func (r *Runner) Close() error {
	r.mu.Lock()
	close(r.closed)
	r.mu.Unlock()
	err := r.front.Close()
	r.tasks.Wait()
	return errors.Join(err, deleteAll(r.runtime), statedir.Unmount(r.options.Dir), r.state.Close())
}
