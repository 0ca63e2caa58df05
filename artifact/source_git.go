package artifact

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// gitIgnored holds what git ignores: it is asked rather than imitated, because its rules
// reach from the user's own settings over every .gitignore to what is tracked all the same.
type gitIgnored struct {
	files, dirs map[string]bool
	missing     bool // git is not installed
}

func (g *gitIgnored) ignores(name string, isDir bool) bool {
	if isDir {
		return g.dirs[name]
	}
	return g.files[name]
}

// read adds what git ignores in dir/below, "" for dir itself. Where there is no
// repository, an empty one is made for the moment, so that .gitignore files hold there
// as well.
func (g *gitIgnored) read(ctx context.Context, dir, below string) error {
	at := filepath.Join(dir, filepath.FromSlash(below))
	out, err := runGit(ctx, at, nil, listIgnored...)
	var failed *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		g.missing = true
		return nil
	case errors.As(err, &failed) && strings.Contains(string(failed.Stderr), "not a git repository (or any"):
		out, err = ignoredWithoutRepository(ctx, at)
	}
	if err != nil {
		return gitTrouble(ctx, at, err)
	}
	g.add(below, out)
	return nil
}

// listIgnored prints what is ignored, directories that hold nothing else by their name
// and a slash.
var listIgnored = []string{"ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"}

func (g *gitIgnored) add(below string, list []byte) {
	if g.files == nil {
		g.files, g.dirs = map[string]bool{}, map[string]bool{}
	}
	for name := range bytes.SplitSeq(list, []byte{0}) {
		if len(name) == 0 {
			continue
		}
		plain, isDir := strings.CutSuffix(string(name), "/")
		if isDir {
			g.dirs[path.Join(below, plain)] = true
		} else {
			g.files[path.Join(below, plain)] = true
		}
	}
}

func ignoredWithoutRepository(ctx context.Context, dir string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "slipway-ignore-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	if _, err := runGit(ctx, tmp, nil, "init", "--quiet", "--template="); err != nil {
		return nil, err
	}
	return runGit(ctx, dir, []string{"GIT_DIR=" + filepath.Join(tmp, ".git"), "GIT_WORK_TREE=" + dir}, listIgnored...)
}

// runGit runs one git command in dir and returns what it printed.
func runGit(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	// A file system monitor is a program of the repository's choice.
	args = append([]string{"-C", dir, "-c", "core.fsmonitor=false"}, args...)
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(withoutRepository(os.Environ()), env...)
	return cmd.Output()
}

// withoutRepository is the environment without what ties git to one repository, as it
// is in git's hooks, and with plain English words.
func withoutRepository(env []string) []string {
	out := []string{"LC_ALL=C", "GIT_OPTIONAL_LOCKS=0"}
	for _, line := range env {
		name, _, _ := strings.Cut(line, "=")
		setting := strings.HasPrefix(name, "GIT_CONFIG_") || name == "GIT_CEILING_DIRECTORIES" || name == "GIT_EXEC_PATH"
		if name != "LC_ALL" && (setting || !strings.HasPrefix(name, "GIT_")) {
			out = append(out, line)
		}
	}
	return out
}

func gitTrouble(ctx context.Context, dir string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	words := err.Error()
	var failed *exec.ExitError
	if errors.As(err, &failed) && len(failed.Stderr) > 0 {
		words = strings.Join(strings.Fields(string(failed.Stderr)), " ")
	}
	return badSource(dir, "put that right, or leave --respect-ignore out", "asking git what it ignores: %s", words)
}
