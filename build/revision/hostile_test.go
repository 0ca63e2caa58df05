package revision

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// trap is a shell command that leaves a file behind, and the file.
func trap(t *testing.T) (command, mark string) {
	t.Helper()
	mark = filepath.Join(t.TempDir(), "ran")
	script := filepath.Join(t.TempDir(), "trap")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\necho ran >>"+mark+"\n"), 0o755))
	return script, mark
}

func ran(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// attribute gives every file the filter x and makes git's view of the files stale.
func attribute(t *testing.T, dir string) {
	t.Helper()
	write(t, dir+"/.gitattributes", "* filter=x\n")
	write(t, dir+"/a.txt", "b\n")
}

// TestNothingOfTheRepositoryRuns plants a program in a repository in each way that git
// itself falls for, which is shown first, and names a build there.
func TestNothingOfTheRepositoryRuns(t *testing.T) {
	for _, tt := range []struct {
		name  string
		plant func(t *testing.T, dir, command string) string
	}{
		{"clean filter", func(t *testing.T, dir, command string) string {
			run(t, dir, "config", "filter.x.clean", command)
			attribute(t, dir)
			return dir
		}},
		{"filter process", func(t *testing.T, dir, command string) string {
			run(t, dir, "config", "filter.x.process", command)
			attribute(t, dir)
			return dir
		}},
		{"a filter with a strange name", func(t *testing.T, dir, command string) string {
			run(t, dir, "config", "filter.a=b.clean", command)
			write(t, dir+"/.gitattributes", "* filter=a=b\n")
			write(t, dir+"/a.txt", "b\n")
			return dir
		}},
		{"included configuration", func(t *testing.T, dir, command string) string {
			write(t, dir+"/.hidden", "[filter \"x\"]\n\tclean = "+command+"\n")
			run(t, dir, "config", "include.path", "../.hidden")
			attribute(t, dir)
			return dir
		}},
		{"configuration of the work tree", func(t *testing.T, dir, command string) string {
			run(t, dir, "config", "extensions.worktreeConfig", "true")
			run(t, dir, "config", "--worktree", "filter.x.clean", command)
			attribute(t, dir)
			return dir
		}},
		{"file system monitor", func(t *testing.T, dir, command string) string {
			run(t, dir, "config", "core.fsmonitor", command)
			return dir
		}},
		{"submodule", func(t *testing.T, dir, command string) string {
			run(t, dir, "submodule", "add", "-q", newRepo(t), "lib")
			commit(t, dir)
			run(t, dir+"/lib", "config", "filter.x.clean", command)
			attribute(t, dir+"/lib")
			return dir
		}},
		{"embedded bare repository", func(t *testing.T, dir, command string) string {
			below := dir + "/deploy"
			must(t, os.MkdirAll(below, 0o755))
			run(t, dir, "clone", "-q", "--bare", dir, below)
			run(t, below, "config", "core.bare", "false")
			run(t, below, "config", "core.worktree", below)
			run(t, below, "config", "filter.x.clean", command)
			attribute(t, below)
			run(t, below, "add", "a.txt")
			must(t, os.RemoveAll(below+"/ran"))
			write(t, below+"/a.txt", "c\n")
			return below
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			command, mark := trap(t)
			dir := tt.plant(t, newRepo(t), command)
			must(t, os.RemoveAll(mark))
			_ = exec.CommandContext(t.Context(), "git", "-C", dir, "status").Run() // the program may break it
			if !ran(mark) {
				t.Fatal("git itself does not run the program: this shows nothing")
			}
			must(t, os.Remove(mark))
			if h, err := Of(t.Context(), Inputs{Dir: dir}); err != nil {
				t.Errorf("got %+v, %v, want no error", h, err)
			}
			if ran(mark) {
				t.Error("a program of the repository ran on the host")
			}
		})
	}
}

// TestEmbeddedRepositoryNamesNothing looks for the repository around the one that a
// project brings along, and for none where that is the only one.
func TestEmbeddedRepositoryNamesNothing(t *testing.T) {
	dir, other := newRepo(t), newRepo(t)
	write(t, other+"/more", "m")
	commit(t, other)
	for _, parent := range []string{dir, t.TempDir()} {
		below := filepath.Join(parent, "deploy")
		must(t, os.Mkdir(below, 0o755))
		run(t, below, "clone", "-q", "--bare", other, ".")
		h, err := Of(t.Context(), Inputs{Dir: below})
		if parent == dir && (err != nil || !strings.HasPrefix(h.Name, headOf(t, dir)+"-dirty-")) {
			t.Errorf("in a repository: got %+v, %v", h, err)
		}
		if parent != dir && !errors.Is(err, ErrNoSource) {
			t.Errorf("without one: got %+v, %v", h, err)
		}
	}
}

// TestWorkTreeElsewhere does not follow core.worktree out of the project.
func TestWorkTreeElsewhere(t *testing.T) {
	dir, outside := newRepo(t), t.TempDir()
	write(t, outside+"/secret.txt", "s")
	run(t, dir, "config", "core.worktree", outside)
	h, err := Of(t.Context(), Inputs{Dir: dir})
	if err != nil || h.Source != Git || strings.Contains(h.Detail, "secret") {
		t.Errorf("got %+v, %v, want a name from git without the secret", h, err)
	}
}

// TestNoPromisor does not fetch an object that is missing, from a remote that is a
// program.
func TestNoPromisor(t *testing.T) {
	dir := newRepo(t)
	command, mark := trap(t)
	for _, c := range [][2]string{
		{"extensions.partialClone", "origin"}, {"remote.origin.promisor", "true"}, {"remote.origin.url", "ext::" + command},
		{"protocol.ext.allow", "always"}, {"core.repositoryFormatVersion", "1"},
	} {
		run(t, dir, "config", c[0], c[1])
	}
	tree := run(t, dir, "rev-parse", "HEAD^{tree}")
	must(t, os.Remove(filepath.Join(dir, ".git/objects", tree[:2], tree[2:])))
	_ = exec.CommandContext(t.Context(), "git", "-C", dir, "status").Run()
	if !ran(mark) {
		t.Fatal("git itself does not fetch: this shows nothing")
	}
	must(t, os.Remove(mark))
	if h, err := Of(t.Context(), Inputs{Dir: dir}); err == nil {
		t.Errorf("got %+v without the commit's tree", h)
	}
	if ran(mark) {
		t.Error("a program of the repository ran on the host")
	}
}

// TestNoSecretsForGit puts a program before git that writes down its environment.
func TestNoSecretsForGit(t *testing.T) {
	real, err := exec.LookPath("git")
	must(t, err)
	bin, seen := t.TempDir(), filepath.Join(t.TempDir(), "env")
	must(t, os.WriteFile(bin+"/git", []byte("#!/bin/sh\nenv >>"+seen+"\nexec "+real+" \"$@\"\n"), 0o755))
	dir := newRepo(t)
	write(t, dir+"/a.txt", "b\n")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush-aws")
	t.Setenv("GITHUB_TOKEN", "hush-token")
	t.Setenv("GIT_ASKPASS", "hush-askpass")
	gitHash(t, dir, GitDirty)
	env, err := os.ReadFile(seen)
	must(t, err)
	if len(env) == 0 || strings.Contains(string(env), "hush") {
		t.Errorf("git has the environment\n%s", env)
	}
}

// TestFilteredFilesStayClean knows files as they were checked out through a filter that
// is not run.
func TestFilteredFilesStayClean(t *testing.T) {
	t.Run("another filter", func(t *testing.T) {
		origin := newRepo(t)
		write(t, origin+"/.gitattributes", "s.txt filter=rot\n")
		write(t, origin+"/s.txt", "hello\n")
		filter := []string{"-c", "filter.rot.clean=tr a-z n-za-m", "-c", "filter.rot.smudge=tr a-z n-za-m"}
		run(t, origin, append(filter, "add", "-A")...)
		run(t, origin, append(filter, "commit", "-q", "-m", "x")...)
		dir := t.TempDir()
		run(t, dir, append(filter, "clone", "-q", origin, ".")...)
		if text, err := os.ReadFile(dir + "/s.txt"); err != nil || string(text) != "hello\n" {
			t.Fatalf("got %q, %v, want hello", text, err)
		}
		gitHash(t, dir, Git)
		write(t, dir+"/s.txt", "hallo!\n")
		gitHash(t, dir, GitDirty)
	})
	t.Run("Git LFS", func(t *testing.T) {
		dir := newRepo(t)
		content := "large\n"
		pointer := fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%x\nsize %d\n", sha256.Sum256([]byte(content)), len(content))
		write(t, dir+"/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
		write(t, dir+"/l.bin", pointer)
		write(t, dir+"/m.bin", pointer)
		commit(t, dir)
		gitHash(t, dir, Git)
		write(t, dir+"/l.bin", content)
		gitHash(t, dir, Git)
		write(t, dir+"/l.bin", "LARGE\n")
		gitHash(t, dir, GitDirty)
		must(t, os.Remove(dir+"/l.bin"))
		gitHash(t, dir, GitDirty)
	})
	t.Run("a filter's name alone", func(t *testing.T) {
		dir := newRepo(t)
		write(t, dir+"/.gitattributes", "* filter=lfs\n")
		commit(t, dir)
		write(t, dir+"/a.txt", "changed\n")
		gitHash(t, dir, GitDirty)
	})
}

// TestSettingsThatCompare lets those settings count that say what a change is.
func TestSettingsThatCompare(t *testing.T) {
	t.Run("line ends", func(t *testing.T) {
		dir := newRepo(t)
		run(t, dir, "config", "core.autocrlf", "true")
		must(t, os.Remove(dir+"/a.txt"))
		run(t, dir, "checkout", "-q", "a.txt")
		if text, err := os.ReadFile(dir + "/a.txt"); err != nil || string(text) != "a\r\n" {
			t.Fatalf("got %q, %v, want a file with CRLF", text, err)
		}
		age(t, dir)
		gitHash(t, dir, Git)
	})
	t.Run("file modes", func(t *testing.T) {
		dir := newRepo(t)
		run(t, dir, "config", "core.fileMode", "false")
		must(t, os.Chmod(dir+"/a.txt", 0o755))
		gitHash(t, dir, Git)
	})
	t.Run("what the user ignores", func(t *testing.T) {
		dir, home := newRepo(t), t.TempDir()
		write(t, home+"/.gitconfig", "[core]\n\texcludesFile = ~/mine\n")
		write(t, home+"/mine", "*.swp\n")
		t.Setenv("GIT_CONFIG_GLOBAL", home+"/.gitconfig")
		t.Setenv("HOME", home)
		write(t, dir+"/a.swp", "x")
		gitHash(t, dir, Git)
	})
	t.Run("what the user ignores by default", func(t *testing.T) {
		dir, home := newRepo(t), t.TempDir()
		write(t, home+"/git/ignore", "*.swp\n")
		t.Setenv("XDG_CONFIG_HOME", home)
		write(t, dir+"/a.swp", "x")
		gitHash(t, dir, Git)
	})
	t.Run("info/exclude", func(t *testing.T) {
		dir := newRepo(t)
		write(t, dir+"/.git/info/exclude", "*.swp\n")
		write(t, dir+"/a.swp", "x")
		gitHash(t, dir, Git)
	})
	t.Run("sparse checkout", func(t *testing.T) {
		dir := newRepo(t)
		run(t, dir, "sparse-checkout", "set", "nothing")
		gitHash(t, dir, Git)
	})
	t.Run("split index", func(t *testing.T) {
		dir := newRepo(t)
		run(t, dir, "update-index", "--split-index")
		gitHash(t, dir, Git)
	})
	t.Run("a name with a newline", func(t *testing.T) {
		dir := t.TempDir() + "/new\nline\tand: colon"
		must(t, os.Rename(newRepo(t), dir))
		gitHash(t, dir, Git)
	})
}
