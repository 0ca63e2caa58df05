package revision

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// change is one path that differs from HEAD, as git status sees it.
type change struct {
	path string // from the top of the work tree, with slashes

	// inside is set for a submodule that stands at its recorded commit, so
	// that only what lies in its own work tree differs.
	inside bool
}

// tree is a work tree, seen from one of its directories.
type tree struct {
	dir     string
	ignored func(abs string) bool
}

// status returns HEAD's commit id and what differs from it, sorted by path.
func (t *tree) status(ctx context.Context) (head string, changes []change, err error) {
	// Without renames a moved file is the same two changes whether it was
	// staged or not.
	out, err := git(ctx, t.dir, "status", "--porcelain=v2", "--branch", "-z",
		"--untracked-files=all", "--no-renames", "--ignore-submodules=none", "--no-ahead-behind")
	if err != nil {
		return "", nil, err
	}
	head, changes, err = parseStatus(out)
	if err != nil {
		return "", nil, fmt.Errorf("reading git status of %q: %w", t.dir, err)
	}
	if head == "" {
		return "", nil, errNoCommits
	}
	if len(changes) == 0 {
		return head, nil, nil
	}
	changes, err = t.relevant(ctx, changes)
	return head, changes, err
}

// relevant leaves out what Slipway wrote itself. It moves t to the top of the
// work tree, which is where git counts the paths from.
func (t *tree) relevant(ctx context.Context, changes []change) ([]change, error) {
	top, err := git(ctx, t.dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	t.dir = strings.TrimSuffix(top, "\n")
	var kept []change
	for _, c := range changes {
		abs := filepath.Join(t.dir, c.path)
		if t.ignored(abs) {
			continue
		}
		if c.inside {
			sub := tree{dir: abs, ignored: t.ignored}
			if _, inner, err := sub.status(ctx); err != nil {
				return nil, fmt.Errorf("submodule %q: %w", c.path, err)
			} else if len(inner) == 0 {
				continue
			}
		}
		kept = append(kept, c)
	}
	return kept, nil
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
	inside := kind == "1" && parts[0][0] == '.' && strings.HasPrefix(parts[1], "S.")
	return change{path: parts[fields-1], inside: inside}, true
}

// sorted orders changes by path, one each: a file taken out of the index and
// still there is both deleted and untracked.
func sorted(changes []change) []change {
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.path, b.path) })
	return slices.CompactFunc(changes, func(a, b change) bool { return a.path == b.path })
}

// ignorer tells whether an absolute path is one of paths, or a temporary file
// beside one.
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
