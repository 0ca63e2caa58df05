package revision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// noGit is the reason why git names nothing here, though nothing is broken.
type noGit string

func (n noGit) Error() string { return string(n) }

const (
	errNotAsked  noGit = "git was not asked"
	errNoBinary  noGit = "git is not installed"
	errNoRepo    noGit = "there is no git repository"
	errNoCommits noGit = "the git repository has no commit"
)

// GitError is a git command that failed in a repository, such as one that
// belongs to another user.
type GitError struct {
	Dir   string // where git was asked
	Words string // what git itself said
	Err   error
}

func (e *GitError) Error() string {
	words := e.Words
	if words == "" {
		words = e.Err.Error()
	}
	return fmt.Sprintf("asking git in %q: %s; put that right, or name the build with --hash", e.Dir, words)
}

func (e *GitError) Unwrap() error { return e.Err }

// fromGit names the build after HEAD. The error is a noGit where git has
// nothing to say.
func fromGit(ctx context.Context, dir string, ignore []string) (Hash, error) {
	t := tree{dir: dir, ignored: ignorer(ignore)}
	head, changes, err := t.status(ctx)
	if err != nil {
		return Hash{}, err
	}
	if len(changes) == 0 {
		return Hash{head[:nameDigits], Git, "commit " + head}, nil
	}
	sum, err := t.sum(ctx, changes)
	if err != nil {
		return Hash{}, fmt.Errorf("hashing what differs from commit %s: %w", head, err)
	}
	name := head[:nameDigits] + "-dirty-" + sum[:dirtyDigits]
	return Hash{name, GitDirty, "commit " + head + " with changes: " + list(changes)}, nil
}

// list names the first few changes.
func list(changes []change) string {
	const most = 3
	var names []string
	for _, c := range changes[:min(most, len(changes))] {
		names = append(names, fmt.Sprintf("%q", c.path))
	}
	if more := len(changes) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// git runs one git command in dir and returns what it printed.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	// A file system monitor is a program of the repository's choice.
	args = append([]string{"-C", dir, "-c", "core.fsmonitor=false"}, args...)
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = gitEnv(os.Environ())
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", gitFailure(dir, words.String(), err)
	}
	return out.String(), nil
}

// gitFailure tells "no git here" from a git that is in trouble. The words are
// git's own under LC_ALL=C. A repository that is named but missing (a work
// tree whose repository went away) reads "not a git repository: PATH", without
// the bracket, and is trouble.
func gitFailure(dir, words string, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return errNoBinary
	}
	if strings.Contains(words, "not a git repository (or any") {
		return errNoRepo
	}
	return &GitError{Dir: dir, Words: strings.Join(strings.Fields(words), " "), Err: err}
}

// localVars tie git to one repository whatever the directory. Git sets them
// for its hooks, where Slipway may well be called. The list is that of
// `git rev-parse --local-env-vars` but for the ones that carry settings.
var localVars = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE",
	"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE",
	"GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_IMPLICIT_WORK_TREE", "GIT_INTERNAL_SUPER_PREFIX",
}

// gitEnv is env without localVars, in plain English and without the optional
// locks that would get in the way of the user's own git.
func gitEnv(env []string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(localVars, name)
	})
	return append(env, "LC_ALL=C", "LANGUAGE=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0")
}
