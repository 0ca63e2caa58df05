package netns

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/internal/daemontest"
)

// listen listens on an address in a namespace and answers each connection with a
// text.
func listen(t *testing.T, n *Namespace, address, text string) {
	t.Helper()
	made := make(chan net.Listener)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		l, err := net.Listen("tcp4", address)
		if err != nil {
			t.Error(err)
		}
		made <- l
	}()
	l := <-made
	if l == nil {
		t.FailNow()
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, text)
			c.Close()
		}
	}()
}

// requireRoot leaves the test out for ordinary users.
func requireRoot(t *testing.T) {
	t.Helper()
	var err error
	if os.Getuid() != 0 {
		err = os.ErrPermission
	}
	daemontest.Require(t, err, daemontest.Required())
}

// Two tasks listen on the same port, and each is reached by itself.
func TestNamespaces(t *testing.T) {
	requireRoot(t)
	var both []*Namespace
	for _, name := range []string{"first", "second"} {
		n, err := New()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		listen(t, n, ":8080", name)
		listen(t, n, "127.0.0.1:8081", name)
		both = append(both, n)
	}
	for i, want := range []string{"first", "second"} {
		c, err := both[i].Dial(t.Context(), 8080)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		c.Close()
		if err != nil || string(got) != want {
			t.Errorf("%s answered %q, %v", want, got, err)
		}
		if c, err := both[i].Dial(t.Context(), 8081); err == nil {
			c.Close()
			t.Error("a port of 127.0.0.1 alone is reached")
		}
	}
}

// A proxy may still connect to a task that ends. The race detector sees a
// descriptor that is used while the namespace is closed.
func TestDialWhileClosed(t *testing.T) {
	requireRoot(t)
	n, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var dials sync.WaitGroup
	for range 20 {
		dials.Go(func() {
			if c, err := n.Dial(t.Context(), 8080); err == nil {
				c.Close()
				t.Error("connected although nothing listens")
			}
		})
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	dials.Wait()
	if _, err := n.Dial(t.Context(), 8080); err == nil || errors.Is(err, unix.EBADF) {
		t.Errorf("connecting after the end gives %v: the descriptor is used although it was closed", err)
	}
}
