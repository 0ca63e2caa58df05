package engine

import "testing"

// TestCommandReason has messages that the programs printed.
func TestCommandReason(t *testing.T) {
	for said, want := range map[string]CommandReason{
		"ssh: Could not resolve hostname nowhere.invalid: Name or service not known": UnknownHost,
		"ssh: connect to host 127.0.0.1 port 1: Connection refused":                  NoConnection,
		"ssh: connect to host 10.0.0.1 port 22: Connection timed out":                NoConnection,
		"Host key verification failed.":                                              UnknownHostKey,
		"me@far.example: Permission denied (publickey).":                             Refused,
		"bash: line 1: buildctl: command not found":                                  NoRemoteProgram,
		"sh: 1: buildctl: not found":                                                 NoRemoteProgram,
		"bash: line 1: docker: command not found":                                    NoRemoteProgram,
		`OCI runtime exec failed: exec failed: unable to start container process: exec: "buildctl": executable file not found in $PATH: unknown`: NoRemoteProgram,
		`command terminated with exit code 126; exec: "buildctl": executable file not found in $PATH`:                                            NoRemoteProgram,
		"error: dial unix /run/buildkit/buildkitd.sock: connect: no such file or directory":                                                      NoDaemon,
		"error: dial unix /run/buildkit/buildkitd.sock: connect: connection refused":                                                             NoDaemon,
		"error: dial unix /run/buildkit/buildkitd.sock: connect: permission denied":                                                              RefusedSocket,
		"permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock":                                   RefusedSocket,
		"permission denied while trying to connect to the docker API at unix:///var/run/docker.sock":                                             RefusedSocket,
		"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?":                                      NoDaemon,
		"Error response from daemon: No such container: builder":                                                                                 NoPlace,
		"Error response from daemon: container 1a2b is not running":                                                                              NoPlace,
		`Error from server (NotFound): pods "buildkitd-0" not found`:                                                                             NoPlace,
		"Error from server (BadRequest): container engine is not valid for pod buildkitd-0":                                                      NoPlace,
		`Error from server (Forbidden): pods "p" is forbidden: User "ci" cannot create resource "pods/exec"`:                                     Refused,
		"error: You must be logged in to the server (Unauthorized)":                                                                              Refused,
		"The connection to the server localhost:8080 was refused - did you specify the right host or port?":                                      NoConnection,
		"Unable to connect to the server: dial tcp: lookup api.example: no such host":                                                            UnknownHost,
		"Unable to connect to the server: dial tcp 10.0.0.1:443: i/o timeout":                                                                    NoConnection,
		"/usr/bin/env: ‘ssh’: No such file or directory":                                                                                         NoProgram,
		"env: docker: No such file or directory":                                                                                                 NoProgram,
		"something else":                                                                                                                         UnknownReason,
	} {
		if got := (&CommandError{Program: "x", Said: said}).Reason(); got != want {
			t.Errorf("%q: Reason = %d, want %d", said, got, want)
		}
	}
}

func TestLastWords(t *testing.T) {
	for text, want := range map[string]string{
		"":                "",
		"one\r\n\n two\n": "one; two",
		"1\n2\n3\n4\n":    "2; 3; 4",
		"E1127 04:26:38.055295    5053 memcache.go:265] \"Unhandled Error\" err=\"x\"\nThe connection was refused\n": "The connection was refused",
	} {
		if got := lastWords(text); got != want {
			t.Errorf("lastWords(%q) = %q, want %q", text, got, want)
		}
	}
}
