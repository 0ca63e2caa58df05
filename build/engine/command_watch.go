package engine

import (
	"context"
	"errors"
	"net"
	"sync"
)

// dialFunc opens a connection.
type dialFunc = func(context.Context, string) (net.Conn, error)

// commandWatch notes the first command that ended with an error, and then ends the wait
// for the engine: what a command says does not change from one second to the next.
type commandWatch struct {
	program string
	end     context.CancelFunc

	mu     sync.Mutex
	failed *CommandError
}

// dialer watches the connections of another dialer.
func (w *commandWatch) dialer(dial dialFunc) dialFunc {
	return func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := dial(ctx, address)
		if err != nil {
			return nil, w.note(err)
		}
		return &commandConn{conn, w}, nil
	}
}

// note returns err, or what it stands for.
func (w *commandWatch) note(err error) error {
	failed := commandError(w.program, err)
	if failed == nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = failed
		w.end()
	}
	return failed
}

// instead returns the failure of the command in place of an error, if there was one.
func (w *commandWatch) instead(err error) error {
	if w == nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil || w.failed == nil {
		return err
	}
	return w.failed
}

// commandConn is a connection through a command.
type commandConn struct {
	net.Conn
	watch *commandWatch
}

// Read reads what the command writes.
func (c *commandConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		err = c.watch.note(err)
	}
	return n, err
}

// Write writes what the command reads. A command that reads no more has ended or is about
// to. The end of its output has its status, and an error would close the connection.
func (c *commandConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		if _, readErr := c.Read(make([]byte, 1)); readErr != nil {
			err = readErr
		}
	}
	return n, err
}

// CloseWrite ends the command's input: Docker's client ends its half of a connection so.
func (c *commandConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// CloseRead ends the command's output.
func (c *commandConn) CloseRead() error {
	if half, ok := c.Conn.(interface{ CloseRead() error }); ok {
		return half.CloseRead()
	}
	return errors.ErrUnsupported
}
