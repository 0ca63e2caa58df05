package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
)

// CommandError is a program that an engine is reached through, and that ended with an error.
type CommandError struct {
	// Program is its name: ssh, docker or kubectl.
	Program string
	// Status is how it ended, such as "exit status 255".
	Status string
	// Said is the end of what it wrote to its standard error.
	Said string
}

// Error names the program and quotes it.
func (e *CommandError) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("%s ended with %s and no message", e.Program, e.Status)
	}
	return fmt.Sprintf("%s ended with %s: %s", e.Program, e.Status, e.Said)
}

// CommandReason is the reason why a program could not reach an engine.
type CommandReason int

// The reasons.
const (
	UnknownReason CommandReason = iota
	// NoProgram: the program is not installed on this host.
	NoProgram
	// UnknownHost: there is no host of that name.
	UnknownHost
	// NoConnection: the host, the Docker engine or the cluster does not answer.
	NoConnection
	// Refused: the user may not log in, or has no permission.
	Refused
	// UnknownHostKey: ssh does not know the host's key.
	UnknownHostKey
	// NoPlace: there is no such container or pod, or it does not run.
	NoPlace
	// NoRemoteProgram: buildctl or docker is not installed at the other end.
	NoRemoteProgram
	// NoDaemon: no engine listens at the other end.
	NoDaemon
	// RefusedSocket: the user may not write to the engine's socket at the other end.
	RefusedSocket
)

// reasons are the messages of OpenSSH, docker, kubectl, buildctl, runc, env and shells. The
// first that matches counts.
var reasons = []struct {
	reason CommandReason
	said   *regexp.Regexp
}{
	{NoProgram, regexp.MustCompile(`env: .?(ssh|docker|kubectl).?: No such file|exec: "(ssh|docker|kubectl)": executable file not found`)},
	{UnknownHost, regexp.MustCompile(`Could not resolve hostname|no such host`)},
	{UnknownHostKey, regexp.MustCompile(`Host key verification failed`)},
	{RefusedSocket, regexp.MustCompile(`dial unix \S+: (connect: )?permission denied|permission denied while trying to connect to the [Dd]ocker`)},
	{NoRemoteProgram, regexp.MustCompile(`(buildctl|docker): (command )?not found|exec: "?buildctl"?: |not found: (buildctl|docker)`)},
	{NoDaemon, regexp.MustCompile(`dial unix \S+: connect: |Is the docker daemon running`)},
	{NoPlace, regexp.MustCompile(`No such container|is not running|\(NotFound\)|container not found|container \S+ is not valid`)},
	{Refused, regexp.MustCompile(`Permission denied|\(Forbidden\)|Unauthorized|must be logged in`)},
	{NoConnection, regexp.MustCompile(`Connection (refused|timed out|closed|reset)|No route to host|Operation timed out|was refused|Unable to connect to the server`)},
}

// Reason returns the reason that the program named, as far as it can be known.
func (e *CommandError) Reason() CommandReason {
	for _, r := range reasons {
		if r.said.MatchString(e.Said) {
			return r.reason
		}
	}
	return UnknownReason
}

// ended is the message of docker's commandconn for a command that ended.
var ended = regexp.MustCompile(`^command \[.*\] has exited with (.*), make sure the URL is valid, and Docker 18\.09 or later is installed on the remote host: stderr=((?s:.*))$`)

// commandError returns the *CommandError that an error of a connection stands for, else nil.
func commandError(program string, err error) *CommandError {
	m := ended.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	return &CommandError{Program: program, Status: m[1], Said: lastWords(m[2])}
}

// libraryLog is a line that a library of kubectl logs (klog) before kubectl says the same.
var libraryLog = regexp.MustCompile(`^[EWI]\d{4} \d\d:\d\d:`)

// lastWords joins the last lines of a text: a login may write a greeting before them.
func lastWords(text string) string {
	const most = 3
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !libraryLog.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "; ")
}

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
