package netns

import (
	"io"
	"net"
	"os"
	"runtime"
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

// Two tasks listen on the same port, and each is reached by itself.
func TestNamespaces(t *testing.T) {
	var err error
	if os.Getuid() != 0 {
		err = os.ErrPermission
	}
	daemontest.Require(t, err, daemontest.Required())
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
