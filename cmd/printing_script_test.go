package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// unquoteFile is the script command `unquoted FROM TO`: it writes the strings that stand
// in Go's syntax in the lines of a file.
func unquoteFile(ts *testscript.TestScript, _ bool, args []string) {
	var b strings.Builder
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		text, err := strconv.Unquote(strings.TrimSpace(line))
		ts.Check(err)
		b.WriteString(text)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o644))
}

// runUnread is the script program `unread [-2] COMMAND ARGS...`: a command whose standard
// output is a pipe that no process reads anymore, with -2 the standard error too.
func runUnread() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	_ = r.Close()
	args, stderr := os.Args[1:], os.Stderr
	if args[0] == "-2" {
		args, stderr = args[1:], w
	}
	os.Exit(codeOf(args, w, stderr))
}

// runFull is `full COMMAND ARGS...`: a command whose standard output is on a full disk.
func runFull() {
	w, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	os.Exit(codeOf(os.Args[1:], w, os.Stderr))
}

// codeOf is a command's exit code as a shell has it: 128 and the signal that ended it.
func codeOf(args []string, stdout, stderr *os.File) int {
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = stdout, stderr
	err := c.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 127
		}
		return 0
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
