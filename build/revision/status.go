package revision

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"slipway/internal/safegit"
)

// change is one path that differs from HEAD, as git status sees it.
type change struct {
	path string // from the top of the work tree, with slashes

	// unstaged is the id of the file's blob in the index, set where only the bytes in
	// the work tree differ.
	unstaged string
}

// tree is a work tree, seen from its top.
type tree struct {
	dir     string
	repo    *safegit.Repository
	ignored func(abs string) bool
}

// status returns HEAD's commit id and what differs from it, sorted by path.
func (t *tree) status(ctx context.Context) (head string, changes []change, err error) {
	if t.repo.Head == "" {
		return "", nil, errNoCommits
	}
	var out, index string
	g, both := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		// Without renames a moved file is the same two changes whether it was staged or
		// not. For what lies in a submodule git would start itself there, under the
		// submodule's own configuration.
		out, err = t.git(both, "", "status", "--porcelain=v2", "--branch", "-z",
			"--untracked-files=all", "--no-renames", "--ignore-submodules=dirty", "--no-ahead-behind")
		return err
	})
	g.Go(func() (err error) {
		index, err = t.git(both, "", "ls-files", "--stage", "-z")
		return err
	})
	if err := g.Wait(); err != nil {
		return "", nil, err
	}
	head, changes, err = parseStatus(out)
	if err != nil {
		return "", nil, fmt.Errorf("reading git status of %q: %w", t.dir, err)
	}
	if head == "" {
		return "", nil, errNoCommits
	}
	changes = slices.DeleteFunc(changes, func(c change) bool { return t.ignored(filepath.Join(t.dir, c.path)) })
	if changes, err = t.withoutFiltered(ctx, changes); err != nil {
		return "", nil, err
	}
	changes, err = t.withSubmodules(ctx, changes, submodules(index))
	return head, changes, err
}

// submodules are the paths that `git ls-files --stage -z` lists as commits of another
// repository (mode 160000 in git-fast-import(1)).
func submodules(index string) []string {
	var out []string
	for rest := index; ; {
		i := strings.Index(rest, "160000 ")
		if i < 0 {
			return out
		}
		starts := i == 0 || rest[i-1] == 0
		entry, after, _ := strings.Cut(rest[i:], "\x00")
		if _, path, ok := strings.Cut(entry, "\t"); ok && starts {
			out = append(out, path)
		}
		rest = after
	}
}

// withSubmodules adds the submodules that are at their recorded commit and differ inside.
func (t *tree) withSubmodules(ctx context.Context, changes []change, paths []string) ([]change, error) {
	for _, path := range paths {
		abs := filepath.Join(t.dir, path)
		changed := slices.ContainsFunc(changes, func(c change) bool { return c.path == path })
		if _, err := os.Lstat(filepath.Join(abs, ".git")); changed || err != nil || t.ignored(abs) {
			continue // not checked out, if there is no .git
		}
		dirty, err := t.dirtyInside(ctx, abs)
		if err != nil {
			return nil, fmt.Errorf("submodule %q: %w", path, err)
		}
		if dirty {
			changes = append(changes, change{path: path})
		}
	}
	return sorted(changes), nil
}

func (t *tree) dirtyInside(ctx context.Context, dir string) (bool, error) {
	sub, err := openTree(ctx, dir, t.ignored)
	if err != nil {
		return false, err
	}
	defer sub.close()
	_, changes, err := sub.status(ctx)
	return len(changes) > 0, err
}

// parseStatus reads `git status --porcelain=v2 --branch -z --no-renames`, as
// git-status(1) describes it. head is empty in a repository without a commit.
func parseStatus(out string) (head string, changes []change, err error) {
	for _, record := range strings.Split(out, "\x00") {
		kind, rest, _ := strings.Cut(record, " ")
		switch kind {
		case "":
		case "#":
			if id, ok := strings.CutPrefix(rest, "branch.oid "); ok && gitID.MatchString(id) {
				head = strings.ToLower(id)
			}
		case "?":
			changes = append(changes, change{path: strings.TrimSuffix(rest, "/")})
		case "1", "u":
			c, ok := parseTracked(kind, rest)
			if !ok {
				return "", nil, fmt.Errorf("unexpected line %q", record)
			}
			changes = append(changes, c)
		default:
			return "", nil, fmt.Errorf("unexpected line %q", record)
		}
	}
	return head, sorted(changes), nil
}

// parseTracked reads what follows the kind: the two states, the submodule
// field, a number of modes and ids that depends on the kind, and the path.
func parseTracked(kind, rest string) (change, bool) {
	fields := map[string]int{"1": 8, "u": 10}[kind]
	parts := strings.SplitN(rest, " ", fields)
	if len(parts) != fields || parts[fields-1] == "" || len(parts[0]) != 2 || len(parts[1]) != 4 {
		return change{}, false
	}
	c := change{path: parts[fields-1]}
	// XY, sub, the modes of HEAD, index and work tree, the ids of HEAD and index, path.
	if kind == "1" && parts[0] == ".M" && parts[1][0] == 'N' && parts[3] == parts[4] {
		c.unstaged = parts[6]
	}
	return c, true
}

// sorted orders changes by path, one each: a file taken out of the index and
// still there is both deleted and untracked.
func sorted(changes []change) []change {
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.path, b.path) })
	return slices.CompactFunc(changes, func(a, b change) bool { return a.path == b.path })
}

// ignorer returns a function that reports whether an absolute path is one of
// paths, or a temporary file next to one.
func ignorer(paths []string) func(string) bool {
	type place struct{ dir, base string }
	var places []place
	for _, p := range paths {
		p = filepath.Clean(p)
		// Git resolves links in the directories it names.
		dir, err := filepath.EvalSymlinks(filepath.Dir(p))
		if err != nil {
			dir = filepath.Dir(p)
		}
		places = append(places, place{dir, filepath.Base(p)})
	}
	return func(abs string) bool {
		dir, base := filepath.Split(abs)
		return slices.ContainsFunc(places, func(p place) bool {
			return filepath.Clean(dir) == p.dir && (base == p.base ||
				strings.HasPrefix(base, "."+p.base+".") && strings.HasSuffix(base, ".tmp"))
		})
	}
}
