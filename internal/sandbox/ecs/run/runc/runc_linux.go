// Package runc runs containers with the program runc.
package runc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Find returns the path of runc: next to this program, next to the buildkitd in
// PATH, or in PATH.
func Find() (string, error) {
	var dirs []string
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(self))
	}
	if daemon, err := exec.LookPath("buildkitd"); err == nil {
		dirs = append(dirs, filepath.Dir(daemon))
	}
	for _, name := range []string{"runc", "buildkit-runc"} {
		for _, dir := range dirs {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path, nil
			}
		}
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no runc next to this program, next to buildkitd or in PATH")
}

// Runtime is runc with a directory for the states of its containers.
type Runtime struct{ Program, Root string }

// commandLimit bounds the commands that do not run a container.
const commandLimit = 30 * time.Second

// command returns a command in a process group of its own, so that a signal from
// the terminal does not reach containers.
func (r Runtime) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, r.Program, append([]string{"--root", r.Root}, args...)...)
	c.Env = []string{"PATH=" + os.Getenv("PATH")}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}

func (r Runtime) do(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	out, err := r.command(ctx, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("runc %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// Container is a container that has started.
type Container struct {
	runtime Runtime
	id      string
	bundle  string
	cgroup  string
	command *exec.Cmd
	ended   chan struct{}
}

// The files of a bundle besides the container's configuration.
const (
	pidFile  = "pid"
	execFile = "exec-pid"
)

// Run starts a container, whose configuration it writes to the directory bundle.
// It returns when the container's process has started, or the reason why it could
// not. The files get the process's output, and the caller closes them.
func (r Runtime) Run(bundle, id string, spec *specs.Spec, stdout, stderr *os.File) (*Container, error) {
	if err := prepare(bundle, spec); err != nil {
		return nil, err
	}
	started, err := watch(bundle, pidFile)
	if err != nil {
		return nil, err
	}
	defer started.Close()
	log := filepath.Join(bundle, "log.json")
	// --keep leaves the cgroup, which shows whether memory ran out.
	c := r.command(context.Background(), "--log", log, "--log-format", "json", "run", "--keep",
		"--bundle", bundle, "--pid-file", filepath.Join(bundle, pidFile), id)
	c.Stdout, c.Stderr = stdout, stderr
	if err := c.Start(); err != nil {
		return nil, err
	}
	container := &Container{r, id, bundle, spec.Linux.CgroupsPath, c, make(chan struct{})}
	go func() {
		_ = c.Wait() // ProcessState has the result
		close(container.ended)
	}()
	select {
	case <-started.seen:
		return container, nil
	case <-container.ended:
	}
	if _, err := os.Stat(filepath.Join(bundle, pidFile)); err == nil {
		return container, nil // it has ended already
	}
	reason := lastError(log)
	_ = r.Delete(id) // there may be nothing to delete
	return nil, errors.New(reason)
}

// prepare writes the configuration, which may hold secrets.
func prepare(bundle string, spec *specs.Spec) error {
	if err := os.Mkdir(bundle, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, name := range []string{pidFile, "log.json"} {
		if err := os.Remove(filepath.Join(bundle, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600)
}

// lastError returns the message of the last error in runc's log.
func lastError(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	message := "runc ended without a message"
	for line := range bytes.Lines(text) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Level == "error" {
			message = entry.Msg
		}
	}
	return message
}

// Wait waits for the end of a container's process, and removes the container. It
// returns the exit code, which is 128 and the signal's number after a signal, and
// whether the kernel killed a process because the container's memory ran out.
func (c *Container) Wait() (code int, outOfMemory bool) {
	<-c.ended
	outOfMemory = ranOutOfMemory(c.cgroup)
	_ = c.runtime.Delete(c.id) // what is left is found when the sandbox ends
	return c.command.ProcessState.ExitCode(), outOfMemory
}

// ranOutOfMemory reports whether the kernel has killed a process of a cgroup
// because its memory ran out. It reads the files of cgroup v2 and v1
// (https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files).
func ranOutOfMemory(cgroup string) bool {
	for _, file := range []string{
		filepath.Join("/sys/fs/cgroup", cgroup, "memory.events"),
		filepath.Join("/sys/fs/cgroup/memory", cgroup, "memory.oom_control"),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			name, count, _ := strings.Cut(strings.TrimSpace(line), " ")
			if name == "oom_kill" && count != "0" {
				return true
			}
		}
	}
	return false
}

// Kill sends a signal, such as "TERM" or "9", to the container's process.
func (c *Container) Kill(signal string) error { return c.runtime.do("kill", c.id, signal) }

// Exec runs a command in the container, as its user and with its environment. The
// command is killed when the context ends.
func (c *Container) Exec(ctx context.Context, args []string) error {
	pid := filepath.Join(c.bundle, execFile)
	_ = os.Remove(pid)
	command := c.runtime.command(context.WithoutCancel(ctx), append([]string{"exec", "--pid-file", pid, c.id}, args...)...)
	var out bytes.Buffer
	command.Stderr = &out
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		killExec(pid, command)
		<-ended
		return ctx.Err()
	}
}

// killExec kills a command in a container. runc ends with it, and it does not end
// when runc is killed.
func killExec(pidFile string, command *exec.Cmd) {
	text, err := os.ReadFile(pidFile)
	if pid, bad := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && bad == nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		return
	}
	_ = command.Process.Kill()
}

// Delete kills a container and removes its state.
func (r Runtime) Delete(id string) error { return r.do("delete", "--force", id) }

// Containers returns the containers of the runtime's directory, running or not.
func (r Runtime) Containers() ([]string, error) {
	entries, err := os.ReadDir(r.Root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out, err
}
