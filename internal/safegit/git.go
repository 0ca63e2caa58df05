// Package safegit runs git in a work tree that is not trusted. Nothing of the
// repository's configuration takes effect in a command that looks at files: no filter,
// hook, file system monitor, pager, external diff, remote or credential helper.
//
// git itself has no switch for that: filters have arbitrary names. So the repository's
// own directory is read for the commit, the index and the objects only, and commands run
// with a repository directory of Slipway's making (GIT_DIR), whose configuration holds
// the few settings that say how files are compared.
package safegit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

var (
	// ErrNoBinary is returned where git is not installed.
	ErrNoBinary = errors.New("git is not installed")
	// ErrNoRepository is returned for a directory in no repository.
	ErrNoRepository = errors.New("there is no git repository")
)

// Error is a git command that failed in a repository, such as one that belongs to
// another user.
type Error struct {
	Dir   string // where git was asked
	Words string // what git itself printed, on one line; may be empty
	Err   error
}

func (e *Error) Error() string {
	if e.Words == "" {
		return e.Err.Error()
	}
	return e.Words
}

func (e *Error) Unwrap() error { return e.Err }

// run runs one git command in dir and returns what it printed.
func run(ctx context.Context, dir string, env []string, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env, cmd.Stdin = env, stdin
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	err := cmd.Run()
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return nil, ErrNoBinary
	}
	return nil, &Error{Dir: dir, Words: strings.Join(strings.Fields(words.String()), " "), Err: err}
}

// noPrograms goes before each command that reads the repository's own configuration.
// Those commands run nothing by themselves; this holds if a later git does.
var noPrograms = []string{
	"-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat",
	"-c", "core.sshCommand=false", "-c", "credential.helper=", "-c", "safe.bareRepository=explicit",
	"-c", "submodule.recurse=false", "-c", "protocol.allow=never",
}

// passed are the variables that git gets: no AWS credentials and no other secrets.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME", "TMPDIR", "TMP", "TEMP", "LD_LIBRARY_PATH",
	"SYSTEMROOT", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "PROGRAMDATA", "APPDATA", "COMSPEC", "PATHEXT",
	"GIT_EXEC_PATH", "GIT_TEST_ASSUME_DIFFERENT_OWNER",
}

// settings are the variables that carry the operator's settings: GIT_CONFIG_GLOBAL,
// GIT_CONFIG_COUNT and their like.
func isSetting(name string) bool {
	return name == "GIT_CONFIG_PARAMETERS" || strings.HasPrefix(name, "GIT_CONFIG_")
}

// environment is the part of env that git gets, in plain English and without any way to
// reach a remote. Variables that tie git to one repository, as they are in git's hooks,
// are not in it.
func environment(env []string, withSettings bool) []string {
	out := []string{
		"LC_ALL=C", "LANGUAGE=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_PAGER=cat",
		"GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1",
	}
	for _, line := range env {
		name, _, _ := strings.Cut(line, "=")
		if slices.Contains(passed, strings.ToUpper(name)) || withSettings && isSetting(name) {
			out = append(out, line)
		}
	}
	return out
}

// Run runs one git command in dir, a directory of the work tree, and returns what it
// printed. Filters of .gitattributes do not apply. The error is an *Error, ErrNoBinary or
// what ended ctx.
func (r *Repository) Run(ctx context.Context, dir string, stdin io.Reader, args ...string) ([]byte, error) {
	return run(ctx, dir, r.env, stdin, args...)
}

// Close removes the files that Open made.
func (r *Repository) Close() error {
	if err := os.RemoveAll(r.dir); err != nil {
		return fmt.Errorf("removing a temporary directory: %w", err)
	}
	return nil
}
