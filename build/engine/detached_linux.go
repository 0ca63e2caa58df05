package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/internal/fault"
)

// An ordinary user cannot make a bridge on this host, but in a network namespace
// within the user namespace of the engine. A connector connects that namespace
// to other hosts, while buildkitd itself stays in this host's network.
//
// BuildKit makes its bridged networks in the namespace $ROOTLESSKIT_STATE_DIR/netns
// if that file exists (util/network/cniprovider/cni_linux.go of BuildKit v0.34.2;
// RootlessKit calls such a namespace detached).

// detacherName is the name by which this program knows that it was started in
// the daemon's place, to make the namespace before it becomes the daemon.
const detacherName = "slipway-detach-network"

// init is where the program becomes the daemon: here it has run nothing of its
// own, and it is on its main thread, on which the connector's life depends.
func init() {
	if len(os.Args) > 2 && os.Args[0] == detacherName {
		report := os.NewFile(reportFD, "report")
		unix.CloseOnExec(reportFD)
		err := becomeDaemon(os.Args[1], os.Args[2], os.Args[3:])
		_ = json.NewEncoder(report).Encode(refusal{reason(err), fault.HintOf(err)}) // who would read it is gone if this fails
		os.Exit(1)
	}
}

// refusal is why the namespace cannot be made, and what helps.
type refusal struct{ Reason, Remedy string }

// reportFD is the first of exec.Cmd's ExtraFiles. It is closed unwritten when
// the program becomes the daemon.
const reportFD = 3

// detached is the directory that BuildKit takes for RootlessKit's.
func (b *bridge) detached() string  { return filepath.Join(filepath.Dir(b.dir), "detached") }
func (b *bridge) namespace() string { return filepath.Join(b.detached(), "netns") }

// connectorLog is where the connector prints. It holds a lock on the file as
// long as it runs.
func (b *bridge) connectorLog() string { return filepath.Join(b.detached(), "connector.log") }

// spawnDetached starts the daemon's command by way of this program, which makes
// the network first.
func (w *managed) spawnDetached(ctx context.Context, cmd *exec.Cmd) (<-chan error, error) {
	report, childs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer report.Close()
	binary := cmd.Path
	cmd.Args = append([]string{detacherName, w.dir, binary}, cmd.Args[1:]...)
	cmd.Path = "/proc/self/exe"
	cmd.ExtraFiles = []*os.File{childs}
	exited, err := w.launch(cmd, binary)
	if err := errors.Join(err, childs.Close()); err != nil {
		return nil, err
	}
	return exited, awaitDetached(ctx, report)
}

// detacherTime bounds the wait for a report; the detacher itself ends before.
const detacherTime = setupTime + 5*time.Second

// awaitDetached returns when the program has become the daemon, or with the
// reason why it cannot.
func awaitDetached(ctx context.Context, report *os.File) error {
	defer context.AfterFunc(ctx, func() { _ = report.SetReadDeadline(time.Now()) })()
	if err := report.SetReadDeadline(time.Now().Add(detacherTime)); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(report, logEnd))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("the network of RUN steps: %w", err)
	}
	if len(text) == 0 {
		return nil
	}
	var r refusal
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("the network of RUN steps: %w", err)
	}
	return noBridge(r.Remedy, "%s", r.Reason)
}

// becomeDaemon makes the network, then starts buildkitd in this process. It
// returns only if one of them fails.
func becomeDaemon(state, buildkitd string, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), setupTime)
	defer cancel()
	b := newBridge(state)
	if err := b.detach(ctx, buildkitd); err != nil {
		return err
	}
	if err := os.Setenv("ROOTLESSKIT_STATE_DIR", b.detached()); err != nil {
		return err
	}
	return fmt.Errorf("starting %s: %w", buildkitd, unix.Exec(buildkitd, append([]string{buildkitd}, args...), os.Environ()))
}

// detach makes the namespace, connects it and makes the bridge in it.
func (b *bridge) detach(ctx context.Context, buildkitd string) error {
	c, err := findConnector(filepath.Dir(buildkitd))
	if err != nil {
		return err
	}
	if err := checkTun(); err != nil {
		return err
	}
	host, err := lookAround()
	if err != nil {
		return err
	}
	b.host = host
	if err := b.makeNamespace(); err != nil {
		return noBridge(privilegedRemedy, "a network namespace: %w", err)
	}
	if err := shadow(cniCache); err != nil {
		return noBridge("create "+cniCache, "%w", err)
	}
	ended, err := c.start(ctx, b.namespace(), host.connector, b.connectorLog())
	if err != nil {
		return err
	}
	return b.inside(func() error {
		if err := awaitRoute(ctx, ended); err != nil {
			return err
		}
		return b.setUp(ctx, buildkitd)
	})
}

// surroundings is a host as a namespace on it has to know it.
type surroundings struct {
	used      []netip.Prefix // the networks that the namespace must not use
	connector subnet         // the network between the namespace and its connector
	addresses []string       // what RUN steps must not reach
}

// lookAround looks at the host, and sets a subnet aside for the connector.
func lookAround() (surroundings, error) {
	used, err := usedPrefixes()
	if err != nil {
		return surroundings{}, err
	}
	s, ok := firstFree(used)
	if !ok {
		return surroundings{}, noBridge("", "no part of %s is free", candidates)
	}
	addresses, err := addresses4()
	if err != nil {
		return surroundings{}, err
	}
	return surroundings{append(used, s.Prefix), s, append(addresses, s.String())}, nil
}

// addresses4 are the IPv4 addresses of this host but the loopback's, which no
// packet of another network namespace has.
func addresses4() ([]string, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() {
			out = append(out, p.Addr().String())
		}
	}
	return out, nil
}

// makeNamespace makes a network namespace that lasts as long as this mount
// namespace and the processes in it.
func (b *bridge) makeNamespace() error {
	if err := os.MkdirAll(b.detached(), 0o700); err != nil {
		return err
	}
	if err := writePrivate(b.namespace(), nil); err != nil {
		return err
	}
	return onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		return unix.Mount("/proc/thread-self/ns/net", b.namespace(), "", unix.MS_BIND, "")
	})
}

// inside calls f in the namespace.
func (b *bridge) inside(f func() error) error {
	return onThread(func() error {
		fd, err := unix.Open(b.namespace(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

// onThread calls f on a thread that ends with it: an ordinary user's thread
// cannot return to this host's network.
func onThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // without an unlock, the thread ends with the goroutine
		result <- f()
	}()
	return <-result
}

// awaitRoute waits until the connector has given this thread's network a
// default route.
func awaitRoute(ctx context.Context, ended <-chan error) error {
	for {
		routes, err := os.ReadFile("/proc/thread-self/net/route")
		if err != nil {
			return err
		}
		if hasDefault(string(routes)) {
			return nil
		}
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return noBridge(connectorRemedy, "the namespace has no default route after %s", setupTime)
		case <-time.After(retryPause):
		}
	}
}

// hasDefault reports whether a table in the form of /proc/net/route (proc_net(5))
// has a default route.
func hasDefault(table string) bool {
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 7 && fields[1] == "00000000" && fields[7] == "00000000" {
			return true
		}
	}
	return false
}

// awaitConnector waits until the connector of a daemon that ended has ended too.
func (b *bridge) awaitConnector(ctx context.Context) {
	if log, err := lockFile(ctx, b.connectorLog(), unix.LOCK_EX); err == nil {
		_ = log.Close() // nothing was written
	}
}
