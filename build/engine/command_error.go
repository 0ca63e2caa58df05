package engine

import (
	"fmt"
	"regexp"
	"strings"
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
