package revision

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Commit is a commit of a git repository.
type Commit struct {
	// ID is the whole id, in hex.
	ID   string
	Time time.Time
	// Ancestors are commits that it contains, the newest first: as many as the
	// repository has, and maxAncestors at most.
	Ancestors []string
}

// maxAncestors is how many commits before its own a record names.
const maxAncestors = 50

// CommitOf returns a commit of the repository that holds dir, by its id, or HEAD
// for none. Where git does not know the commit, it returns the id alone.
func CommitOf(ctx context.Context, dir, id string) Commit {
	id = strings.ToLower(strings.TrimSpace(id))
	if !gitID.MatchString(id) {
		id = ""
	}
	t, err := openTree(ctx, dir, ignorer(nil))
	if err != nil {
		return Commit{ID: id}
	}
	defer t.close()
	name := id
	if name == "" {
		name = "HEAD"
	}
	out, err := t.git(ctx, "", "log", "--no-show-signature", "--max-count="+strconv.Itoa(maxAncestors+1), "--format=%H %ct", name, "--")
	if err != nil {
		return Commit{ID: id}
	}
	return parseCommit(out)
}

// parseCommit reads lines of an id and a time in seconds since 1970.
func parseCommit(log string) Commit {
	var c Commit
	for line := range strings.Lines(log) {
		id, at, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case !gitID.MatchString(id):
		case c.ID == "":
			c.ID = id
			if seconds, err := strconv.ParseInt(at, 10, 64); err == nil {
				c.Time = time.Unix(seconds, 0).UTC()
			}
		default:
			c.Ancestors = append(c.Ancestors, id)
		}
	}
	return c
}

// Contains reports whether a commit contains another one, as far as git knows in
// the repository that holds dir; known is false where git does not know both.
func Contains(ctx context.Context, dir, commit, other string) (contains, known bool) {
	if !gitID.MatchString(commit) || !gitID.MatchString(other) {
		return false, false
	}
	t, err := openTree(ctx, dir, ignorer(nil))
	if err != nil {
		return false, false
	}
	defer t.close()
	for _, id := range []string{commit, other} {
		if _, err := t.git(ctx, "", "cat-file", "-e", id+"^{commit}"); err != nil {
			return false, false
		}
	}
	base, err := t.git(ctx, "", "merge-base", "-a", commit, other)
	if err != nil {
		// Unrelated commits have no base. So it is in a shallow clone, too.
		shallow, failed := t.git(ctx, "", "rev-parse", "--is-shallow-repository")
		return false, failed == nil && strings.TrimSpace(shallow) == "false"
	}
	return strings.TrimSpace(base) == other, true
}
