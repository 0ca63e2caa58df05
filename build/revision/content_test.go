package revision

import (
	"context"
	"crypto/sha256"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/tonistiigi/fsutil"
)

func dirRoot(t *testing.T, label, dir string) Root {
	t.Helper()
	fsys, err := fsutil.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	return Root{Label: label, FS: fsys}
}

func contentOf(t *testing.T, roots ...Root) string {
	t.Helper()
	sum, err := ContentOf(t.Context(), roots)
	if err != nil {
		t.Fatal(err)
	}
	if !sumHex.MatchString(sum) {
		t.Fatalf("%q is no sha256", sum)
	}
	return sum
}

func newContext(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir+"/a.txt", "a\n")
	write(t, dir+"/sub/b.txt", "b\n")
	must(t, os.Mkdir(dir+"/empty", 0o755))
	must(t, os.Symlink("a.txt", dir+"/link"))
	return dir
}

// TestContentDiffers changes one thing at a time: each must count.
func TestContentDiffers(t *testing.T) {
	seen := map[string]string{contentOf(t, dirRoot(t, "web", newContext(t))): "unchanged"}
	for name, edit := range map[string]func(dir string) error{
		"bytes":       func(dir string) error { return os.WriteFile(dir+"/a.txt", []byte("A\n"), 0o644) },
		"moved":       func(dir string) error { return os.Rename(dir+"/a.txt", dir+"/sub/a.txt") },
		"executable":  func(dir string) error { return os.Chmod(dir+"/a.txt", 0o755) },
		"empty dir":   func(dir string) error { return os.Remove(dir + "/empty") },
		"link gone":   func(dir string) error { return os.Remove(dir + "/link") },
		"link target": func(dir string) error { os.Remove(dir + "/link"); return os.Symlink("sub", dir+"/link") },
		"no link": func(dir string) error {
			os.Remove(dir + "/link")
			return os.WriteFile(dir+"/link", []byte("a.txt"), 0o644)
		},
		"pipe": func(dir string) error { return syscall.Mkfifo(dir+"/pipe", 0o644) },
		"joined": func(dir string) error {
			os.Remove(dir + "/sub/b.txt")
			return os.WriteFile(dir+"/a.txt", []byte("a\nb\n"), 0o644)
		},
	} {
		dir := newContext(t)
		must(t, edit(dir))
		sum := contentOf(t, dirRoot(t, "web", dir))
		if other := seen[sum]; other != "" {
			t.Errorf("%q and %q have one checksum", name, other)
		}
		seen[sum] = name
	}
	if sum := contentOf(t, dirRoot(t, "api", newContext(t))); seen[sum] != "" {
		t.Error("the label does not count")
	}
}

func TestContentSame(t *testing.T) {
	one, two := newContext(t), newContext(t)
	age(t, two)
	must(t, os.Chmod(two+"/sub/b.txt", 0o600))
	file := t.TempDir() + "/Dockerfile"
	write(t, file, "FROM scratch\n")
	single := Root{Label: "dockerfile", File: file}
	want := contentOf(t, dirRoot(t, "web", one), single)
	if got := contentOf(t, single, dirRoot(t, "web", two)); got != want {
		t.Errorf("got %s for the same tree with other times, in another order, want %s", got, want)
	}
	write(t, file, "FROM other\n")
	if contentOf(t, dirRoot(t, "web", one), single) == want {
		t.Error("the single file does not count")
	}
}

// TestContentHardLink: to a walk of fsutil the second name of a file is a link.
func TestContentHardLink(t *testing.T) {
	dir, linked := newContext(t), newContext(t)
	write(t, dir+"/z.txt", "a\n")
	must(t, os.Link(linked+"/a.txt", linked+"/z.txt"))
	if contentOf(t, dirRoot(t, "web", dir)) != contentOf(t, dirRoot(t, "web", linked)) {
		t.Error("a hard link differs from a copy")
	}
}

func TestContentFiltered(t *testing.T) {
	dir := newContext(t)
	root := dirRoot(t, "web", dir)
	filtered, err := fsutil.NewFilterFS(root.FS, &fsutil.FilterOpt{ExcludePatterns: []string{"*.log"}})
	must(t, err)
	root.FS = filtered
	want := contentOf(t, root)
	write(t, dir+"/x.log", "x")
	if got := contentOf(t, root); got != want {
		t.Error("an excluded file counts")
	}
	write(t, dir+"/sub/out.json", "x")
	root.Skip = func(path string) bool { return path == "sub/out.json" }
	if got := contentOf(t, root); got != want {
		t.Error("a skipped file counts")
	}
	root.Skip = nil
	if got := contentOf(t, root); got == want {
		t.Error("a new file does not count")
	}
}

func TestContentErrors(t *testing.T) {
	dir := newContext(t)
	root := dirRoot(t, "web", dir)
	for want, roots := range map[string][]Root{
		"no build inputs":       nil,
		`labelled "web"`:        {root, root},
		"either":                {{Label: "x"}},
		"or a file":             {{Label: "x", FS: root.FS, File: "y"}},
		"no such file":          {{Label: "x", File: dir + "/none"}},
		"is not a regular file": {{Label: "x", File: dir}},
	} {
		if _, err := ContentOf(t.Context(), roots); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ContentOf(ctx, []Root{root}); err == nil {
		t.Error("no error from a cancelled walk")
	}
}

func TestFrame(t *testing.T) {
	seen := map[string][][]string{}
	for _, frames := range [][][]string{
		{{}}, {{""}}, {{"", ""}}, {{""}, {""}}, {{"ab"}}, {{"a", "b"}}, {{"a"}, {"b"}}, {{"", "ab"}}, {{"ab", ""}}, {{"a\x00b"}},
	} {
		h := sha256.New()
		for _, parts := range frames {
			frame(h, parts...)
		}
		sum := string(h.Sum(nil))
		if other, ok := seen[sum]; ok {
			t.Errorf("%q and %q are framed alike", frames, other)
		}
		seen[sum] = frames
	}
}
