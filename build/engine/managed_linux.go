package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/internal/fault"
)

// managed is a managed buildkitd. Several jobs may share it: each holds a shared lock on
// users, and the last one out stops the daemon. Locks die with their process, so a job
// that was killed holds nothing up; the daemon it left behind serves the next job, which
// stops it.
type managed struct {
	dir   string
	gate  *os.File // held while the daemon is started or stopped
	users *os.File // held, shared, while a job uses the daemon
	child *os.Process
}

// registryConcurrency raises the engine's limit of connections for blobs, which is four
// for each host, since every repository of an account shares one host.
const registryConcurrency = 24

const managedConfig = `# written by slipway for the engine it starts
insecure-entitlements = ["network.host", "security.insecure"]
[system]
  maxRegistryConcurrency = %d
# The default socket belongs to the system's own daemon.
[otel]
  socketPath = %q
[worker.containerd]
  enabled = false
[worker.oci]
  enabled = true
%s`

const hostNetwork = `  networkMode = "host"
`

// bridgeNetwork keeps no namespaces ready but the one with which BuildKit tries
// the network: steps that run at once make theirs, and steps after them use it.
// Each has to be removed at the end, while the job waits.
const bridgeNetwork = `  networkMode = "cni"
  cniConfigPath = %q
  cniBinaryPath = %q
`

func startManaged(ctx context.Context, o Options) (*Engine, error) {
	binary, err := findBuildkitd(o.Binary)
	if err != nil {
		return nil, err
	}
	w, err := openManaged(ctx, o.StateDir)
	if err != nil {
		return nil, err
	}
	e, err := w.attach(ctx, binary, o.network())
	if err != nil {
		return nil, errors.Join(err, w.leave(context.WithoutCancel(ctx)))
	}
	e.Kind, e.stop = Managed, w.leave
	return e, w.unlockGate()
}

// findBuildkitd looks next to this program first, so that a release that has
// both is used whole, then in PATH.
func findBuildkitd(named string) (string, error) {
	if named != "" {
		return exec.LookPath(named)
	}
	if self, err := os.Executable(); err == nil {
		if path := filepath.Join(filepath.Dir(self), "buildkitd"); isExecutable(path) {
			return path, nil
		}
	}
	path, err := exec.LookPath("buildkitd")
	if err != nil {
		return "", errors.New("no buildkitd next to slipway or in PATH")
	}
	return path, nil
}

// runcs are the names under which buildkitd looks for it, in order.
var runcs = []string{"buildkit-runc", "runc"}

// FindRunc finds the runc that a managed engine would take: next to its
// buildkitd, then in PATH.
func FindRunc(binary string) (string, error) {
	var dir string
	if buildkitd, err := findBuildkitd(binary); err == nil {
		dir = filepath.Dir(buildkitd)
	}
	for _, name := range runcs {
		if path := filepath.Join(dir, name); dir != "" && isExecutable(path) {
			return path, nil
		}
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no runc next to buildkitd or in PATH")
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// openManaged takes the gate and joins the users.
func openManaged(ctx context.Context, dir string) (*managed, error) {
	w, err := prepareManaged(dir)
	if err != nil {
		return nil, err
	}
	dir = w.dir
	if w.gate, err = lockFile(ctx, filepath.Join(dir, "gate.lock"), unix.LOCK_EX); err != nil {
		return nil, err
	}
	if w.users, err = lockFile(ctx, filepath.Join(dir, "users.lock"), unix.LOCK_SH); err != nil {
		return nil, errors.Join(err, w.gate.Close())
	}
	return w, nil
}

// prepareManaged makes the state directory.
func prepareManaged(dir string) (*managed, error) {
	if dir == "" {
		dir = DefaultStateDir()
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	w := &managed{dir: dir}
	if err := privateDir(dir); err != nil {
		return nil, fmt.Errorf("the engine's state: %w", err)
	}
	if len(w.socket()) > maxSocketPath {
		return nil, &StateError{Err: fmt.Errorf("the path %s of the state directory is too long for a socket in it", dir), TooLong: true}
	}
	return w, nil
}

// checkState makes sure that the managed engine could write its state, if there is one to
// start.
func checkState(o Options) error {
	if _, err := findBuildkitd(o.Binary); err != nil {
		return nil // Find says so
	}
	w, err := prepareManaged(o.StateDir)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(w.dir, "probe-*")
	if err != nil {
		return fmt.Errorf("the engine's state: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// maxSocketPath is the length of sun_path less its final zero (unix(7)).
const maxSocketPath = 107

func (w *managed) socket() string      { return filepath.Join(w.dir, "buildkitd.sock") }
func (w *managed) traceSocket() string { return filepath.Join(w.dir, "trace.sock") }
func (w *managed) root() string        { return filepath.Join(w.dir, "root") }
func (w *managed) logFile() string     { return filepath.Join(w.dir, "buildkitd.log") }

// attach uses the daemon that is there, or starts one. The gate is held.
func (w *managed) attach(ctx context.Context, binary string, wanted Network) (*Engine, error) {
	if _, err := os.Stat(w.socket()); err == nil {
		if e, err := dial(ctx, "unix://"+w.socket(), "", probeTime, nil); err == nil {
			return w.join(e, wanted)
		}
	}
	_, err := os.Stat(w.root())
	fresh := errors.Is(err, fs.ErrNotExist)
	e, err := w.start(ctx, binary, wanted)
	if err != nil {
		return nil, err
	}
	e.Fresh = fresh
	return e, nil
}

// join takes a daemon that runs, if its network is the one that is wanted.
func (w *managed) join(e *Engine, wanted Network) (*Engine, error) {
	r, err := w.recorded()
	if err == nil {
		err = r.fits(wanted)
	}
	if err != nil {
		return nil, errors.Join(err, e.Client.Close())
	}
	r.describe(e)
	return e, nil
}

// start starts the daemon with the network that is wanted. Where any would do,
// what fails with a network of its own is tried with the host's.
func (w *managed) start(ctx context.Context, binary string, wanted Network) (*Engine, error) {
	if wanted == NetworkHost {
		return w.run(ctx, binary, networkRecord{Network: NetworkHost})
	}
	var err error
	if root() { // else the daemon's process makes it, see becomeDaemon
		err = newBridge(w.dir).setUp(ctx, binary)
	}
	if err == nil {
		var e *Engine
		if e, err = w.run(ctx, binary, networkRecord{Network: NetworkBridge}); err == nil {
			return e, nil
		}
		newBridge(w.dir).tearDown(ctx)
	}
	var ended *endedError
	var none *noBridgeError
	if wanted == NetworkBridge || ctx.Err() != nil || !errors.As(err, &ended) && !errors.As(err, &none) {
		return nil, err
	}
	return w.run(ctx, binary, networkRecord{Network: NetworkHost, Reason: reason(err), Remedy: fault.HintOf(err)})
}

// run starts the daemon with a network and waits until it answers.
func (w *managed) run(ctx context.Context, binary string, r networkRecord) (*Engine, error) {
	if err := w.record(r); err != nil {
		return nil, err
	}
	exited, err := w.spawn(ctx, binary, r.Network)
	if err != nil {
		return nil, err
	}
	e, err := w.await(ctx, exited)
	if err != nil {
		return nil, err
	}
	// buildkitd makes the socket for traces writable for all.
	if err := w.guardSockets(); err != nil {
		return nil, errors.Join(err, e.Client.Close())
	}
	r.describe(e)
	return e, nil
}

func (w *managed) guardSockets() error {
	for _, path := range []string{w.socket(), w.traceSocket()} {
		if err := os.Chmod(path, 0o600); err != nil {
			return fmt.Errorf("the engine's socket: %w", err)
		}
	}
	return nil
}

// config is the daemon's configuration.
func (w *managed) config(network Network) []byte {
	net := hostNetwork
	if network == NetworkBridge {
		b := newBridge(w.dir)
		net = fmt.Sprintf(bridgeNetwork, b.conflist(), b.plugins())
	}
	return fmt.Appendf(nil, managedConfig, registryConcurrency, w.traceSocket(), net)
}

// spawn starts the daemon.
func (w *managed) spawn(ctx context.Context, binary string, network Network) (<-chan error, error) {
	config := filepath.Join(w.dir, "buildkitd.toml")
	if err := writePrivate(config, w.config(network)); err != nil {
		return nil, err
	}
	out, err := createPrivate(w.logFile())
	if err != nil {
		return nil, err
	}
	defer out.Close()
	// The daemon outlives this call and is stopped by leave, not by a context.
	cmd := exec.Command(binary, append(modeFlags(), "--config", config, "--root", w.root(), "--addr", "unix://"+w.socket())...)
	// Its environment is there to be read as long as it runs, in rootless mode by
	// RUN steps too. What it needs of AWS's credentials comes with the solves.
	cmd.Env = append(withoutCredentials(os.Environ()), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, modeEnv(w.dir)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = isolation()
	if network == NetworkBridge && !root() {
		return w.spawnDetached(ctx, cmd)
	}
	return w.launch(cmd, binary)
}

func (w *managed) launch(cmd *exec.Cmd, name string) (<-chan error, error) {
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	w.child = cmd.Process
	return exited, nil
}

// endedError is a daemon that ended instead of answering.
type endedError struct {
	err error
	log string
}

func (e *endedError) Error() string {
	return fmt.Sprintf("buildkitd ended at once: %v%s", e.err, e.log)
}

func (w *managed) await(ctx context.Context, exited <-chan error) (*Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, explicitTime)
	defer cancel()
	type answer struct {
		engine *Engine
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		e, err := dial(ctx, "unix://"+w.socket(), "", explicitTime, nil)
		answers <- answer{e, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, fmt.Errorf("buildkitd does not answer: %w%s", a.err, w.lastLog())
		}
		return a.engine, nil
	case err := <-exited:
		return nil, &endedError{err, w.lastLog()}
	}
}

// lastLog is the end of the daemon's log, for an error message.
func (w *managed) lastLog() string {
	f, err := os.Open(w.logFile())
	if err != nil {
		return ""
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, err = f.Seek(max(0, size-logEnd), io.SeekStart)
		if err != nil {
			return ""
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, logEnd))
	lines := messages(string(data))
	if err != nil || len(lines) == 0 {
		return ""
	}
	return "; its log ends: " + strings.Join(lines[max(0, len(lines)-3):], " | ")
}

// logEnd is how many bytes of the daemon's log are read for a message.
const logEnd = 64 << 10

// messages are the lines of a log without the frames of stack traces: a
// function's name and, on the next line after a tab, its place.
func messages(log string) []string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	var out []string
	for i, line := range lines {
		frame := strings.HasPrefix(line, "\t") || i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\t")
		if !frame && line != "" {
			out = append(out, line)
		}
	}
	return out
}

// leave gives the daemon up and stops it if this was its last user.
func (w *managed) leave(ctx context.Context) error {
	if w.gate == nil {
		var err error
		if w.gate, err = lockFile(ctx, filepath.Join(w.dir, "gate.lock"), unix.LOCK_EX); err != nil {
			return err
		}
	}
	var err error
	// While the gate is held no job can join: the one that gets users alone is
	// the last.
	if unix.Flock(int(w.users.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		if err = w.stopDaemon(ctx); err == nil {
			newBridge(w.dir).tearDown(ctx)
		}
	}
	return errors.Join(err, w.users.Close(), w.unlockGate())
}

func (w *managed) unlockGate() error {
	err := w.gate.Close()
	w.gate = nil
	return err
}

// stopDaemon ends the process that listens on the socket, whichever job started it, or
// the one that this job started and that does not listen.
func (w *managed) stopDaemon(ctx context.Context) error {
	pid := w.listener()
	if pid == 0 && w.child != nil {
		pid = w.child.Pid
	}
	if pid == 0 || !isBuildkitd(pid) {
		return nil
	}
	_ = unix.Kill(pid, unix.SIGTERM) // it may be gone already
	if waitGone(ctx, pid, stopTime) {
		return nil
	}
	_ = unix.Kill(pid, unix.SIGKILL)
	if !waitGone(ctx, pid, stopTime) {
		return fmt.Errorf("the engine's process %d cannot be stopped: see %s", pid, w.logFile())
	}
	return nil
}

// listener asks the kernel which process listens on the socket (SO_PEERCRED,
// unix(7)); 0 for none. Unlike a pid file, the answer cannot be stale, nor lost
// by a kill between the start and the writing.
func (w *managed) listener() int {
	conn, err := net.Dial("unix", w.socket())
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	if err != nil {
		return 0
	}
	return pid
}

// stopTime is how long the daemon may take to end before it is killed.
const stopTime = 10 * time.Second

func isBuildkitd(pid int) bool {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(cmdline), "buildkitd")
}

func waitGone(ctx context.Context, pid int, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for isBuildkitd(pid) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(retryPause):
		}
	}
	return true
}

// lockFile opens and locks a file, waiting until ctx ends.
func lockFile(ctx context.Context, path string, how int) (*os.File, error) {
	f, err := openPrivate(path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("waiting for %s: %w", path, ctx.Err()), f.Close())
		case <-time.After(retryPause):
		}
	}
}
