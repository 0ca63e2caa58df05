package main

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// TestDelayProxy sends more than the buffers hold through the proxy and back, and
// checks that the answer is whole and does not come before both delays.
func TestDelayProxy(t *testing.T) {
	echo := listen(t)
	go func() {
		conn, err := echo.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn) // the client counts
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	const delay = 20 * time.Millisecond
	proxy := delayProxy{listen(t), echo.Addr().String(), delay}
	go proxy.serve()
	conn, err := net.Dial("tcp", proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	start := time.Now()
	go func() {
		_, _ = conn.Write(sent) // the reader counts
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	got := make([]byte, 1)
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 2*delay {
		t.Errorf("the first byte was back after %s, want at least %s", took, 2*delay)
	}
	rest, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(append(got, rest...), sent) {
		t.Errorf("%d bytes came back of %d: %v", 1+len(rest), len(sent), err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
