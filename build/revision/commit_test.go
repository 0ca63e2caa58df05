package revision

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// commits makes a repository with some commits, and returns their ids.
func commits(t *testing.T, n int) (dir string, ids []string) {
	t.Helper()
	dir = newRepo(t)
	ids = []string{run(t, dir, "rev-parse", "HEAD")}
	for range n - 1 {
		write(t, dir+"/a.txt", time.Now().String())
		run(t, dir, "commit", "-qam", "next")
		ids = append(ids, run(t, dir, "rev-parse", "HEAD"))
	}
	return dir, ids
}

func TestCommitOf(t *testing.T) {
	t.Parallel()
	dir, ids := commits(t, 3)
	last := CommitOf(t.Context(), dir, "")
	if last.ID != ids[2] || !reflect.DeepEqual(last.Ancestors, []string{ids[1], ids[0]}) || time.Since(last.Time) > time.Hour {
		t.Errorf("CommitOf(HEAD) = %+v, want %s after %v", last, ids[2], ids[:2])
	}
	if got := CommitOf(t.Context(), dir, strings.ToUpper(ids[1])); got.ID != ids[1] || len(got.Ancestors) != 1 {
		t.Errorf("CommitOf(%s) = %+v", ids[1], got)
	}
	shallow := t.TempDir()
	run(t, shallow, "clone", "-q", "--depth", "1", "file://"+dir, "copy")
	if got := CommitOf(t.Context(), shallow+"/copy", ""); got.ID != ids[2] || got.Ancestors != nil || got.Time != last.Time {
		t.Errorf("CommitOf in a shallow clone = %+v, want %s alone", got, ids[2])
	}
	unknown := strings.Repeat("0f", 20)
	for where, got := range map[string]Commit{
		"an unknown commit": CommitOf(t.Context(), dir, unknown),
		"no repository":     CommitOf(t.Context(), t.TempDir(), unknown),
	} {
		if !reflect.DeepEqual(got, Commit{ID: unknown}) {
			t.Errorf("CommitOf of %s = %+v, want the id alone", where, got)
		}
	}
	if got := CommitOf(t.Context(), t.TempDir(), "main"); got.ID != "" {
		t.Errorf("CommitOf(main) = %+v, want none", got)
	}
}

func TestContains(t *testing.T) {
	t.Parallel()
	dir, ids := commits(t, 2)
	run(t, dir, "checkout", "-q", "-b", "other", ids[0])
	write(t, dir+"/a.txt", "other")
	run(t, dir, "commit", "-qam", "other")
	other := run(t, dir, "rev-parse", "HEAD")
	shallow := t.TempDir()
	run(t, shallow, "clone", "-q", "--depth", "1", "--no-single-branch", "file://"+dir, "copy")
	for _, c := range []struct {
		dir, commit, of string
		contains, known bool
	}{
		{dir, ids[1], ids[0], true, true},
		{dir, ids[0], ids[1], false, true},
		{dir, ids[1], ids[1], true, true},
		{dir, other, ids[1], false, true},
		{dir, ids[1], strings.Repeat("0f", 20), false, false},
		{dir, "main", ids[0], false, false},
		{shallow + "/copy", other, ids[1], false, false},
		{t.TempDir(), ids[1], ids[0], false, false},
	} {
		if contains, known := Contains(t.Context(), c.dir, c.commit, c.of); contains != c.contains || known != c.known {
			t.Errorf("Contains(%s, %s, %s) = %v, %v, want %v, %v", c.dir, c.commit, c.of, contains, known, c.contains, c.known)
		}
	}
}
