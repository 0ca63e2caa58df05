package revision

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// edits are the ways to make a work tree differ from HEAD. Each must make it
// dirty, in its own way.
var edits = []struct {
	name string
	edit func(t *testing.T, dir string)
}{
	{"changed", func(t *testing.T, dir string) { write(t, dir+"/a.txt", "changed\n") }},
	{"changed otherwise", func(t *testing.T, dir string) { write(t, dir+"/a.txt", "Changed\n") }},
	{"emptied", func(t *testing.T, dir string) { write(t, dir+"/a.txt", "") }},
	{"in a subdirectory", func(t *testing.T, dir string) { write(t, dir+"/sub/b.txt", "changed\n") }},
	{"untracked", func(t *testing.T, dir string) { write(t, dir+"/new/file", "n") }},
	{"untracked elsewhere", func(t *testing.T, dir string) { write(t, dir+"/new/other", "n") }},
	{"odd name", func(t *testing.T, dir string) { write(t, dir+"/é \"x\"\n1 .M", "n") }},
	{"deleted", func(t *testing.T, dir string) { must(t, os.Remove(dir+"/a.txt")) }},
	{"renamed", func(t *testing.T, dir string) { must(t, os.Rename(dir+"/a.txt", dir+"/c.txt")) }},
	{"executable", func(t *testing.T, dir string) { must(t, os.Chmod(dir+"/a.txt", 0o755)) }},
	{"changed and executable", func(t *testing.T, dir string) {
		write(t, dir+"/a.txt", "changed\n")
		must(t, os.Chmod(dir+"/a.txt", 0o755))
	}},
	{"link elsewhere", func(t *testing.T, dir string) {
		must(t, os.Remove(dir+"/link"))
		must(t, os.Symlink("sub/b.txt", dir+"/link"))
	}},
	{"link to file", func(t *testing.T, dir string) {
		must(t, os.Remove(dir+"/link"))
		write(t, dir+"/link", "a.txt")
	}},
	{"dangling link", func(t *testing.T, dir string) { must(t, os.Symlink("nowhere", dir+"/dangling")) }},
	{"file to directory", func(t *testing.T, dir string) {
		must(t, os.Remove(dir+"/a.txt"))
		write(t, dir+"/a.txt/inside", "n")
	}},
	{"directory to file", func(t *testing.T, dir string) {
		must(t, os.RemoveAll(dir+"/sub"))
		write(t, dir+"/sub", "n")
	}},
}

// TestDirty makes each edit in a repository and in a clone of it, staged here
// and not there and with other file times: both must get the same hash, and no
// two edits may share one.
func TestDirty(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{12}-dirty-[0-9a-f]{8}$`)
	origin := newRepo(t)
	head := headOf(t, origin)
	seen := map[string]string{}
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			here, there := clone(t, origin), clone(t, origin)
			e.edit(t, here)
			e.edit(t, there)
			age(t, there)
			unstaged := gitHash(t, there, GitDirty)
			run(t, here, "add", "-A")
			staged := gitHash(t, here, GitDirty)
			if staged.Name != unstaged.Name {
				t.Errorf("staged %s, unstaged %s", staged.Name, unstaged.Name)
			}
			if !form.MatchString(staged.Name) || !strings.HasPrefix(staged.Name, head) {
				t.Errorf("got %q for HEAD %s", staged.Name, head)
			}
			if other := seen[staged.Name]; other != "" {
				t.Errorf("%s is also the hash of %q", staged.Name, other)
			}
			seen[staged.Name] = e.name
		})
	}
}

func clone(t *testing.T, origin string) string {
	t.Helper()
	dir := t.TempDir()
	run(t, dir, "clone", "-q", origin, ".")
	return dir
}

func gitHash(t *testing.T, dir string, want Source) Hash {
	t.Helper()
	h, err := Of(t.Context(), Inputs{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if h.Source != want {
		t.Fatalf("got source %q (%s), want %q", h.Source, h.Detail, want)
	}
	return h
}

func TestClean(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, dir string) string
	}{
		{"as committed", func(t *testing.T, dir string) string { return dir }},
		{"other file times", func(t *testing.T, dir string) string { age(t, dir); return dir }},
		{"ignored file", func(t *testing.T, dir string) string { write(t, dir+"/x.log", "x"); return dir }},
		{"subdirectory", func(t *testing.T, dir string) string { return dir + "/sub" }},
		{"detached", func(t *testing.T, dir string) string {
			run(t, dir, "checkout", "-q", "--detach")
			return dir
		}},
		{"worktree", func(t *testing.T, dir string) string {
			wt := t.TempDir() + "/wt"
			run(t, dir, "worktree", "add", "-q", wt)
			return wt
		}},
		{"behind a link", func(t *testing.T, dir string) string {
			link := t.TempDir() + "/link"
			must(t, os.Symlink(dir, link))
			return link
		}},
		{"called from a hook", func(t *testing.T, dir string) string {
			t.Setenv("GIT_DIR", t.TempDir())
			t.Setenv("GIT_INDEX_FILE", "none")
			return dir
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := newRepo(t)
			head := headOf(t, dir)
			if h := gitHash(t, tt.make(t, dir), Git); h.Name != head {
				t.Errorf("got %q, want %q", h.Name, head)
			}
		})
	}
}

func TestDirtyWorktree(t *testing.T) {
	dir := newRepo(t)
	wt := t.TempDir() + "/wt"
	run(t, dir, "worktree", "add", "-q", wt)
	write(t, wt+"/a.txt", "changed")
	gitHash(t, wt, GitDirty)
	gitHash(t, dir, Git)
}

func TestSHA256Repository(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "init", "-q", "--object-format=sha256")
	write(t, dir+"/a", "a")
	commit(t, dir)
	if h := gitHash(t, dir, Git); h.Name != headOf(t, dir) {
		t.Errorf("got %q, want the head's %q", h.Name, headOf(t, dir))
	}
}

func TestUnmerged(t *testing.T) {
	dir := newRepo(t)
	run(t, dir, "checkout", "-q", "-b", "other")
	write(t, dir+"/a.txt", "other\n")
	commit(t, dir)
	run(t, dir, "checkout", "-q", "main")
	write(t, dir+"/a.txt", "main\n")
	commit(t, dir)
	merge := exec.CommandContext(t.Context(), "git", "-C", dir, "-c", "user.name=A", "-c", "user.email=a@example.com", "merge", "other")
	if err := merge.Run(); err == nil {
		t.Fatal("the merge has no conflict")
	}
	gitHash(t, dir, GitDirty)
}

func TestSubmodule(t *testing.T) {
	library := newRepo(t)
	dir := newRepo(t)
	run(t, dir, "submodule", "add", "-q", library, "lib")
	commit(t, dir)
	gitHash(t, dir, Git)

	// Neither a setting nor the order git lists files in may hide a change.
	run(t, dir, "config", "submodule.lib.ignore", "all")
	write(t, dir+"/lib/zz", "new, and listed before the others until it is committed\n")
	write(t, dir+"/lib/a.txt", "changed\n")
	first := gitHash(t, dir, GitDirty)
	write(t, dir+"/lib/a.txt", "changed again\n")
	second := gitHash(t, dir, GitDirty)
	if first.Name == second.Name {
		t.Errorf("%s for two contents of the submodule", first.Name)
	}
	commit(t, dir+"/lib")
	if third := gitHash(t, dir, GitDirty); third.Name != second.Name {
		t.Errorf("got %s for the same content committed, want %s", third.Name, second.Name)
	}

	run(t, dir+"/lib", "reset", "-q", "--hard", "HEAD~")
	gitHash(t, dir, Git)
	write(t, dir+"/lib/out.json", "x")
	gitHash(t, dir, GitDirty)
	h, err := Of(t.Context(), Inputs{Dir: dir, Ignore: []string{dir + "/lib/out.json"}})
	if err != nil || h.Source != Git {
		t.Errorf("got %+v, %v with the submodule's only new file ignored", h, err)
	}
}

func TestRepositoryInside(t *testing.T) {
	dir := newRepo(t)
	inner := dir + "/inner"
	must(t, os.Mkdir(inner, 0o755))
	run(t, inner, "init", "-q")
	write(t, inner+"/x", "1")
	first := gitHash(t, dir, GitDirty)
	write(t, inner+"/x", "2")
	if second := gitHash(t, dir, GitDirty); first.Name == second.Name {
		t.Errorf("%s for two contents of an unrecorded repository", first.Name)
	}
}

func TestIgnore(t *testing.T) {
	dir := newRepo(t)
	link := t.TempDir() + "/link"
	must(t, os.Symlink(dir, link))
	write(t, dir+"/out/defs.json", "x")
	write(t, dir+"/out/.defs.json.123.tmp", "half")
	for _, ignore := range []string{dir + "/out/defs.json", link + "/out/../out/defs.json"} {
		h, err := Of(t.Context(), Inputs{Dir: dir, Ignore: []string{ignore}})
		if err != nil || h.Source != Git {
			t.Errorf("ignoring %s: got %+v, %v, want a name from git", ignore, h, err)
		}
	}
	write(t, dir+"/out/other.json", "x")
	h, err := Of(t.Context(), Inputs{Dir: dir, Ignore: []string{dir + "/out/defs.json"}})
	if err != nil || h.Source != GitDirty {
		t.Errorf("got %+v, %v with another file beside the ignored one", h, err)
	}
}

func TestGitInTrouble(t *testing.T) {
	for _, tt := range []struct {
		name, words string
		make        func(t *testing.T) string
	}{
		{"another owner", "safe.directory", func(t *testing.T) string {
			dir := newRepo(t)
			t.Setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
			return dir
		}},
		{"repository went away", "/nowhere", func(t *testing.T) string {
			dir := t.TempDir()
			write(t, dir+"/.git", "gitdir: /nowhere\n")
			return dir
		}},
		{"no such directory", "cannot change to", func(t *testing.T) string { return t.TempDir() + "/none" }},
		{"lost commit", "", func(t *testing.T) string {
			dir := newRepo(t)
			must(t, os.RemoveAll(dir+"/.git/objects"))
			must(t, os.Mkdir(dir+"/.git/objects", 0o755))
			return dir
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := Of(t.Context(), Inputs{Dir: tt.make(t), Content: content})
			var failure *GitError
			if !errors.As(err, &failure) {
				t.Fatalf("got %+v, %v, want a *GitError", h, err)
			}
			for _, want := range []string{tt.words} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	dir := newRepo(t)
	tr := tree{dir: dir, ignored: func(string) bool { return false }}
	write(t, dir+"/x", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tr.sumPaths(ctx, []string{"x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if _, err := Of(ctx, Inputs{Dir: dir, Content: content}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation, not the content's hash", err)
	}
}
