package safegit

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/bounded"
)

// found is a repository as it lies on the disk.
type found struct {
	top    string // the top of the work tree, links resolved
	dir    string // its own directory: .git, or where a .git file leads
	common string // the directory that it shares with other work trees; often dir
	format string // of its object names: sha1 or sha256
	head   string // the commit's full id; empty without a commit
}

// find looks for .git in dir and above it, as git does. Unlike git it does not take a
// directory for a repository that is itself laid out like one (a bare repository): a
// project could bring such a directory along, with a configuration of its choice.
func find(ctx context.Context, dir string) (*found, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, &Error{Dir: dir, Words: "cannot change to the directory: " + err.Error(), Err: err}
	}
	ceilings := ceilings(os.Getenv("GIT_CEILING_DIRECTORIES"))
	for at := abs; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			f, err := look(ctx, at)
			if !errors.Is(err, ErrNoRepository) {
				return f, err
			}
		}
		if parent := filepath.Dir(at); parent == at || slices.Contains(ceilings, parent) {
			return nil, ErrNoRepository
		}
	}
}

// ceilings are the directories that the search does not enter from below
// (GIT_CEILING_DIRECTORIES in git(1)).
func ceilings(list string) []string {
	var out []string
	for _, dir := range filepath.SplitList(list) {
		if resolved, err := filepath.EvalSymlinks(dir); err == nil {
			dir = resolved
		}
		out = append(out, filepath.Clean(dir))
	}
	return out
}

// objectID matches the ID of a commit.
var objectID = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// look lets git judge the repository at top/.git: whether it is one, and whether its
// owner is trusted (safe.directory). Neither command below looks at an object or a file
// of the work tree.
func look(ctx context.Context, top string) (*found, error) {
	f := &found{top: top}
	env := environment(os.Environ(), true)
	env = append(env, "GIT_CEILING_DIRECTORIES="+filepath.Dir(top))
	out, err := run(ctx, top, env, nil, append(slices.Clone(noPrograms), "rev-parse", "--show-object-format", "--absolute-git-dir")...)
	if err != nil {
		var failed *Error
		if errors.As(err, &failed) && strings.Contains(failed.Words, "not a git repository (or any") {
			return nil, ErrNoRepository
		}
		return nil, err
	}
	format, dir, ok := bytes.Cut(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
	if f.format, f.dir = string(format), string(dir); !ok {
		return nil, &Error{Dir: top, Words: "git names no directory of the repository", Err: ErrNoRepository}
	}
	if err := f.locate(ctx); err != nil {
		return nil, err
	}
	// --quiet: a repository without a commit is not an error.
	out, err = run(ctx, top, env, nil, append(slices.Clone(noPrograms), "rev-parse", "--verify", "--quiet", "HEAD")...)
	var failed *Error
	if errors.As(err, &failed) && failed.Words == "" {
		return f, nil
	}
	f.head = strings.TrimSpace(string(out))
	if err == nil && !objectID.MatchString(f.head) {
		err = &Error{Dir: top, Words: "git does not name HEAD's commit", Err: ErrNoRepository}
	}
	return f, err
}

// locate makes sure that git speaks of top/.git, and finds the common directory
// (gitrepository-layout(5)).
func (f *found) locate(ctx context.Context) error {
	at := filepath.Join(f.top, ".git")
	info, err := os.Stat(at)
	if err != nil {
		return ErrNoRepository
	}
	if !info.IsDir() {
		link, err := bounded.ReadFile(ctx, at, maxInfo)
		if err != nil {
			return err
		}
		target := strings.TrimRight(strings.TrimPrefix(string(link), "gitdir: "), "\r\n")
		if at = target; !filepath.IsAbs(at) {
			at = filepath.Join(f.top, at)
		}
		if info, err = os.Stat(at); err != nil {
			return &Error{Dir: f.top, Words: "the .git file names a directory that cannot be read", Err: err}
		}
	}
	if seen, err := os.Stat(f.dir); err != nil || !os.SameFile(seen, info) {
		return ErrNoRepository
	}
	f.common = f.dir
	shared, err := bounded.ReadFile(ctx, filepath.Join(f.dir, "commondir"), maxInfo)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if f.common = strings.TrimRight(string(shared), "\r\n"); !filepath.IsAbs(f.common) {
		f.common = filepath.Join(f.dir, f.common)
	}
	return err
}
