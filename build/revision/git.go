package revision

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"slipway/internal/safegit"
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
	return fmt.Sprintf("git in %q: %s", e.Dir, words)
}

func (e *GitError) Unwrap() error { return e.Err }

// fromGit names the build after HEAD. The error is a noGit where git has
// nothing to say.
func fromGit(ctx context.Context, dir string, ignore []string) (Hash, error) {
	t, err := openTree(ctx, dir, ignorer(ignore))
	if err != nil {
		return Hash{}, err
	}
	defer t.close()
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

// openTree finds the repository that holds dir. The error is a noGit where git has
// nothing to say.
func openTree(ctx context.Context, dir string, ignored func(string) bool) (*tree, error) {
	repo, err := safegit.Open(ctx, dir)
	if err != nil {
		return nil, gitFailure(dir, err)
	}
	return &tree{dir: repo.Top, repo: repo, ignored: ignored}, nil
}

// close removes temporary files: that one is left behind fails no build.
func (t *tree) close() { _ = t.repo.Close() }

// git runs one git command at the top of the work tree and returns what it printed.
func (t *tree) git(ctx context.Context, stdin string, args ...string) (string, error) {
	out, err := t.repo.Run(ctx, t.dir, strings.NewReader(stdin), args...)
	if err != nil {
		return "", gitFailure(t.dir, err)
	}
	return string(out), nil
}

// gitFailure distinguishes a directory without git from a git that fails.
func gitFailure(dir string, err error) error {
	var failed *safegit.Error
	switch {
	case errors.Is(err, safegit.ErrNoBinary):
		return errNoBinary
	case errors.As(err, &failed):
		return &GitError{Dir: dir, Words: failed.Words, Err: err}
	case errors.Is(err, safegit.ErrNoRepository):
		return errNoRepo
	}
	return err
}
