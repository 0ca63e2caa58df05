// Package netns makes network namespaces for tasks. Each has a loopback
// interface alone, so that two tasks may listen on the same port and nothing is
// left behind when their processes have ended.
package netns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Address is the address of every task in its namespace. A program that listens
// on 127.0.0.1 alone does not answer at it, as on AWS. It is of the range that
// is for a link alone (RFC 3927).
const Address = "169.254.172.2"

// Namespace is a network namespace. It lasts until it is closed and the processes
// in it have ended.
type Namespace struct {
	file *os.File
	conn syscall.RawConn // of file; holds it open while its descriptor is used
}

// New makes a namespace.
func New() (*Namespace, error) {
	type result struct {
		file *os.File
		err  error
	}
	done := make(chan result)
	go func() {
		// The thread is not unlocked, so that it ends with this function and no
		// other goroutine gets it.
		runtime.LockOSThread()
		file, err := unshare()
		done <- result{file, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("network namespace: %w", r.err)
	}
	conn, err := r.file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", errors.Join(err, r.file.Close()))
	}
	return &Namespace{r.file, conn}, nil
}

func unshare() (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	if err := bringUp(); err != nil {
		return nil, err
	}
	return os.Open("/proc/thread-self/ns/net")
}

// bringUp brings the loopback interface of this thread's namespace up and adds
// Address to it (netdevice(7)).
func bringUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP)
	alias, err := unix.NewIfreq("lo:0")
	if err != nil {
		return err
	}
	return errors.Join(
		unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, up),
		alias.SetInet4Addr(net.ParseIP(Address).To4()),
		unix.IoctlIfreq(s, unix.SIOCSIFADDR, alias),
	)
}

// Path returns a path by which other processes of this host open the namespace.
func (n *Namespace) Path() string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd())
}

// Dial connects to a TCP port of Address in the namespace.
func (n *Namespace) Dial(ctx context.Context, port int) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and not unlocked, as in New
		var r result
		if r.err = n.enter(); r.err == nil {
			r.conn, r.err = (&net.Dialer{}).DialContext(ctx, "tcp4", net.JoinHostPort(Address, strconv.Itoa(port)))
		}
		done <- r
	}()
	r := <-done
	return r.conn, r.err
}

// enter moves this thread into the namespace. It fails once that is closed, even
// if the number of its descriptor belongs to another file by then.
func (n *Namespace) enter() (err error) {
	closed := n.conn.Control(func(fd uintptr) { err = unix.Setns(int(fd), unix.CLONE_NEWNET) })
	return cmp.Or(closed, err)
}

// Close forgets the namespace. It may be called while Dial runs.
func (n *Namespace) Close() error { return n.file.Close() }
