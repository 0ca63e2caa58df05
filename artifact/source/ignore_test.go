package source

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

func sent(t *testing.T, dir string) string {
	t.Helper()
	s, err := Read(t.Context(), Options{Dir: dir, RespectIgnore: true, AllowSecrets: true})
	must(t, err)
	return strings.Join(names(s), " ")
}

func TestDockerIgnore(t *testing.T) {
	for _, c := range []struct {
		what  string
		files map[string]string
		want  string
	}{
		{"a directory", map[string]string{".dockerignore": "node_modules\n# no\n\n*.log\n", "node_modules/x/y": "", "a.log": "", "sub/a.log": "", "b": ""},
			".dockerignore b sub/ sub/a.log"},
		{"exceptions", map[string]string{".dockerignore": "data\n!data/keep\n", "data/keep/x": "", "data/drop/x": "", "b": ""},
			".dockerignore b data/keep/ data/keep/x"},
		{"one below", map[string]string{"api/.dockerignore": "dist\n", "api/dist/x": "", "dist/x": "", "web/dist/x": ""},
			"api/ api/.dockerignore dist/ dist/x web/ web/dist/ web/dist/x"},
		{"two", map[string]string{".dockerignore": "**/tmp\n", "api/.dockerignore": "!tmp\nx\n", "api/tmp/y": "", "api/x": "", "x": ""},
			".dockerignore api/ api/.dockerignore x"},
		{"what a build starts from", map[string]string{
			".dockerignore": "*\n!src\nnode_modules\n", "Dockerfile": "", "compose.prod.yaml": "", "docker-compose.yml": "", "buildspec.yml": "",
			"src/web.Dockerfile": "", "src/Dockerfile.dev": "", "src/code": "", "node_modules/x/Dockerfile": "", "dockerfiles": "", "readme": ""},
			".dockerignore Dockerfile buildspec.yml compose.prod.yaml docker-compose.yml src/ src/Dockerfile.dev src/code src/web.Dockerfile"},
		{"a Dockerfile of an excluded directory", map[string]string{".dockerignore": "old\n!old/x\n", "old/Dockerfile": "", "old/x": "", "b": ""},
			".dockerignore b old/x"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := sent(t, plant(t, c.files)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestBadDockerIgnore(t *testing.T) {
	for _, content := range []string{"[", "a[\n", "!\n"} {
		dir := plant(t, map[string]string{"x": "", "sub/.dockerignore": content, "sub/x": ""})
		_, err := Read(t.Context(), Options{Dir: dir, RespectIgnore: true})
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), "sub/.dockerignore") {
			t.Errorf("%q: got %v, want an Error of sub/.dockerignore", content, err)
		}
	}
}

// asGit runs git in dir.
func asGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	args = append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.com"}, args...)
	if out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

func TestGitIgnore(t *testing.T) {
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	files := map[string]string{
		".gitignore": "dist/\n*.log\n!keep.log\n", "dist/x": "", "a.log": "", "keep.log": "", "code": "",
		"sub/.gitignore": "/here\n", "sub/here": "", "sub/deep/here": "", "här": "", "with space.log": "",
	}
	const want = ".gitignore code här keep.log sub/ sub/.gitignore sub/deep/ sub/deep/here"
	dir := plant(t, files)
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	if got := sent(t, dir); got != want {
		t.Errorf("without a repository: got\n%s\nwant\n%s", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, ".git")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a repository was left: %v", err)
	}

	asGit(t, dir, "init", "--quiet")
	asGit(t, dir, "add", "--force", "a.log")
	asGit(t, dir, "commit", "--quiet", "--message", "x")
	if got, want := sent(t, dir), strings.Replace(want, "code", "a.log code", 1); got != want {
		t.Errorf("a tracked file: got\n%s\nwant\n%s", got, want)
	}
	// A hook's variables name another repository.
	t.Setenv("GIT_DIR", "/nowhere")
	if got := sent(t, filepath.Join(dir, "sub")); got != ".gitignore deep/ deep/here" {
		t.Errorf("below the top: got %s, want .gitignore deep/ deep/here", got)
	}

	inner := filepath.Join(dir, "inner")
	must(t, os.MkdirAll(inner, 0o755))
	for name, content := range map[string]string{".gitignore": "out\n", "out": "", "in": ""} {
		must(t, os.WriteFile(filepath.Join(inner, name), []byte(content), 0o644))
	}
	must(t, os.Unsetenv("GIT_DIR"))
	asGit(t, inner, "init", "--quiet")
	if got := sent(t, dir); !strings.Contains(got, "inner/in") || strings.Contains(got, "inner/out") {
		t.Errorf("a repository within: got %s", got)
	}
}

func TestGitTrouble(t *testing.T) {
	var bad *Error
	dir := plant(t, map[string]string{"x": "", ".git": "gitdir: /nowhere"})
	if _, err := Read(t.Context(), Options{Dir: dir, RespectIgnore: true}); !errors.As(err, &bad) || !strings.Contains(err.Error(), "not a git repository: /nowhere") {
		t.Errorf("a broken repository: got %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	dir = plant(t, map[string]string{"x": "", "sub/y": ""})
	if _, err := Read(t.Context(), Options{Dir: dir, RespectIgnore: true}); err != nil {
		t.Errorf("no git, nothing to ask: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "sub/.gitignore"), nil, 0o644))
	if _, err := Read(t.Context(), Options{Dir: dir, RespectIgnore: true}); !errors.As(err, &bad) || !strings.Contains(err.Error(), `"sub/.gitignore" exists, and git, which applies it, is not installed`) {
		t.Errorf("no git, something to ask: got %v", err)
	}
}

// ignoreTree has names that patterns like to meet.
var ignoreTree = []string{
	"a", "b.txt", "x.log", "Dockerfile", "src/a", "src/b.txt", "src/x.log", "src/deep/a", "src/deep/er/b.txt", "node_modules/m/x", ".hidden/a",
}

// FuzzDockerIgnore holds that walking with one .dockerignore keeps just the files that
// the matcher, asked file by file, does not exclude, besides what a build starts from.
func FuzzDockerIgnore(f *testing.F) {
	for _, seed := range []string{"a", "*", "**", "!a", "*\n!src\n", "src\n!src/deep\nsrc/deep/er", "**/*.txt", "/src/", "src/**\n!**/a", "# x\n\n a ", "[a-c]*", "?", "../a", ".", "\\", "src/*\n!src/deep/er/b.txt"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		tree := fstest.MapFS{".dockerignore": {Data: []byte(content)}}
		for _, name := range ignoreTree {
			tree[name] = &fstest.MapFile{}
		}
		w := &walker{ctx: t.Context(), dir: "/project", tree: tree, respect: true, source: &Source{}}
		err := w.walk(".", nil)
		want, wantErr := byFile(content)
		if errors.Is(wantErr, errByFile) {
			return
		}
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("got %v, want %v", err, wantErr)
		}
		if err != nil {
			return
		}
		var got []string
		for _, e := range w.source.Entries {
			if !e.Mode.IsDir() && !buildFiles.MatchString(path.Base(e.Name)) {
				got = append(got, e.Name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", content, got, want)
		}
	})
}

// errByFile is an error of one file only, which a walk may never come to.
var errByFile = errors.New("a file")

func byFile(content string) ([]string, error) {
	lines, err := ignorefile.ReadAll(bytes.NewReader([]byte(content)))
	if err != nil {
		return nil, err
	}
	m, err := patternmatcher.New(lines)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range ignoreTree {
		var (
			excluded bool
			info     patternmatcher.MatchInfo
			at       string
		)
		// One directory after the other, as Docker does it.
		for part := range strings.SplitSeq(name, "/") {
			at = path.Join(at, part)
			if excluded, info, err = m.MatchesUsingParentResults(at, info); err != nil {
				return nil, errors.Join(errByFile, err)
			}
		}
		if !excluded && !buildFiles.MatchString(path.Base(name)) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}
