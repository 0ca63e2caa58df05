package source

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"slipway/internal/golden"
)

// plant writes files below a new directory. A name that ends in a slash is a directory,
// a content that begins with "-> " a link.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		target, link := strings.CutPrefix(content, "-> ")
		switch {
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(path, 0o755))
		case link:
			must(t, os.Symlink(target, path))
		default:
			must(t, os.WriteFile(path, []byte(content), 0o644))
		}
	}
	// Whatever the umask.
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || e.Type() == fs.ModeSymlink:
			return err
		case e.IsDir():
			return os.Chmod(path, 0o755)
		default:
			return os.Chmod(path, 0o644)
		}
	}))
	return dir
}

// shopDir is a project with all that is kept.
func shopDir(t *testing.T) string {
	dir := plant(t, map[string]string{
		"compose.yaml": "services: {}\n", "api/Dockerfile": "FROM scratch\n", "api/run.sh": "#!/bin/sh\n",
		"api-data/x": "", "empty/": "", "link": "-> api/run.sh", "out": "-> /nowhere", ".git/HEAD": "x", "api/.git": "gitdir: ../x",
	})
	must(t, os.Chmod(filepath.Join(dir, "api/run.sh"), 0o755))
	must(t, os.Chmod(filepath.Join(dir, "empty"), 0o750))
	return dir
}

func packed(t *testing.T, dir string) (*Archive, []byte) {
	t.Helper()
	s, err := Read(t.Context(), Options{Dir: dir})
	must(t, err)
	a, err := s.Pack(t.Context(), 0)
	must(t, err)
	t.Cleanup(func() { must(t, a.Close()) })
	data, err := io.ReadAll(a.reader())
	must(t, err)
	return a, data
}

// TestPack reads the archive back: names in order, modes, links, no .git.
func TestPack(t *testing.T) {
	a, data := packed(t, shopDir(t))
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	must(t, err)
	var list bytes.Buffer
	for _, f := range r.File {
		rc, err := f.Open()
		must(t, err)
		content, err := io.ReadAll(rc)
		must(t, err)
		fmt.Fprintf(&list, "%s %s %q\n", f.Mode(), f.Name, content)
		if day := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); !f.Modified.Equal(day) || len(f.Extra) > 0 {
			t.Errorf("%s: made %v, extra %x", f.Name, f.Modified, f.Extra)
		}
	}
	golden.Check(t, "source.golden", list.Bytes())
	if a.Size != int64(len(data)) {
		t.Errorf("size %d of %d", a.Size, len(data))
	}
	// This must never change: a change uploads every unchanged source once.
	if want := "21cf06cc1adc167fbb04335f463125600d31ce2aa594633f9c0bea6a045ed19d"; a.Content != want {
		t.Errorf("content %s, want %s", a.Content, want)
	}
}

// TestPackSame packs the same content from another place and time, and then each change.
func TestPackSame(t *testing.T) {
	first, data := packed(t, shopDir(t))
	dir := shopDir(t)
	long := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	must(t, os.Chtimes(filepath.Join(dir, "compose.yaml"), long, long))
	second, again := packed(t, dir)
	if !bytes.Equal(data, again) || first.Content != second.Content || first.Digest != second.Digest {
		t.Error("the same content has other bytes")
	}
	seen := map[string]string{first.Content: "nothing"}
	for _, change := range []struct {
		what string
		do   func() error
	}{
		{"content", func() error { return os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte("services: []\n"), 0o644) }},
		{"mode", func() error { return os.Chmod(filepath.Join(dir, "api/run.sh"), 0o644) }},
		{"name", func() error { return os.Rename(filepath.Join(dir, "api/run.sh"), filepath.Join(dir, "api/go.sh")) }},
		{"link", func() error {
			return errors.Join(os.Remove(filepath.Join(dir, "link")), os.Symlink("api/go.sh", filepath.Join(dir, "link")))
		}},
		{"directory", func() error { return os.Remove(filepath.Join(dir, "empty")) }},
	} {
		must(t, change.do())
		a, _ := packed(t, dir)
		if before, ok := seen[a.Content]; ok {
			t.Errorf("a change of %s reads as that of %s", change.what, before)
		}
		seen[a.Content] = change.what
	}
}

// TestPackLeavesNothing looks for the temporary file while the archive is open.
func TestPackLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	dir := shopDir(t)
	s, err := Read(t.Context(), Options{Dir: dir})
	must(t, err)
	a, err := s.Pack(t.Context(), 0)
	must(t, err)
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("a killed process would leave %v, %v", left, err)
	}
	must(t, a.Close())
	if _, err := io.ReadAll(a.reader()); err == nil {
		t.Error("it can be read after Close")
	}
}

func TestPackErrors(t *testing.T) {
	dir := shopDir(t)
	big := bytes.Repeat([]byte("slipway"), 1000)
	for i := range big {
		big[i] ^= byte(i * i >> 3)
	}
	must(t, os.WriteFile(filepath.Join(dir, "big.bin"), big, 0o644))
	s, err := Read(t.Context(), Options{Dir: dir})
	must(t, err)
	var bad *Error
	if _, err := s.Pack(t.Context(), 1000); !errors.As(err, &bad) || !strings.Contains(err.Error(), `larger than 1000 B; the largest files: "big.bin" (6.8 KiB)`) {
		t.Errorf("got %v, want an Error that names big.bin as the largest file", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Pack(ended, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	must(t, os.Remove(filepath.Join(dir, "big.bin")))
	must(t, os.Mkdir(filepath.Join(dir, "big.bin"), 0o755))
	if _, err := s.Pack(t.Context(), 0); !errors.As(err, &bad) || bad.Problems[0].Name != "big.bin" {
		t.Errorf("got %v, want an Error of big.bin", err)
	}
	t.Setenv("TMPDIR", "/nowhere")
	if _, err := s.Pack(t.Context(), 0); err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("got %v, want an error that names TMPDIR", err)
	}
}

// TestReadSourceErrors has everything that cannot be sent, all of it named at once.
func TestReadSourceErrors(t *testing.T) {
	dir := plant(t, map[string]string{"ok": "x", "sub/ok": "y"})
	must(t, os.WriteFile(filepath.Join(dir, `a\b`), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "caf\xe9"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "huge"), nil, 0o644))
	must(t, os.Truncate(filepath.Join(dir, "huge"), maxEntrySize+1))
	_, err := Read(t.Context(), Options{Dir: dir})
	var bad *Error
	if !errors.As(err, &bad) || bad.Cause != Unsendable {
		t.Fatalf("got %v, want an Error: unsendable", err)
	}
	var got []string
	for _, p := range bad.Problems {
		got = append(got, fmt.Sprintf("%q %s", p.Name, p.Reason))
	}
	want := []string{
		`"a\\b" its name has a \, which is a separator elsewhere`,
		`"caf\xe9" its name is not UTF-8`,
		`"huge" its 4294967296 bytes are more than a zip file can hold`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	for name, dir := range map[string]string{"missing": filepath.Join(dir, "none"), "file": filepath.Join(dir, "ok"), "empty": plant(t, map[string]string{"sub/": ""})} {
		if _, err := Read(t.Context(), Options{Dir: dir}); !errors.As(err, &bad) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v, want an Error of %s", name, err, dir)
		}
	}
}

// unreadable is a tree in which some things cannot be read.
type unreadable struct {
	fstest.MapFS
	refuse map[string]bool
}

func (u unreadable) Open(name string) (fs.File, error) {
	if u.refuse[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.MapFS.Open(name)
}

func (u unreadable) ReadDir(name string) ([]fs.DirEntry, error) {
	if u.refuse[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.MapFS.ReadDir(name)
}

// TestUnreadable uses a tree of its own, for root reads everything.
func TestUnreadable(t *testing.T) {
	tree := unreadable{fstest.MapFS{
		"ok": {Data: []byte("x")}, "no": {Data: []byte("x")}, "dir/x": {},
	}, map[string]bool{"no": true, "dir": true}}
	_, err := readTree(t.Context(), "/project", tree, Options{})
	want := `"/project" cannot be sent: "dir": it cannot be read: permission denied; "no": it cannot be read: permission denied`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestTooManyFiles(t *testing.T) {
	tree := fstest.MapFS{}
	for i := range maxEntries {
		tree[fmt.Sprintf("%d", i)] = &fstest.MapFile{}
	}
	if _, err := readTree(t.Context(), "/project", tree, Options{}); err != nil {
		t.Errorf("%d files: %v", maxEntries, err)
	}
	tree["more"] = &fstest.MapFile{}
	_, err := readTree(t.Context(), "/project", tree, Options{})
	if err == nil || !strings.Contains(err.Error(), "65536 files and directories are more than the 65535") {
		t.Errorf("got %v, want that 65536 files are more than the 65535", err)
	}
}

// names are the entries of a tree that would be sent, directories with a slash.
func names(s *Source) []string {
	var out []string
	for _, e := range s.Entries {
		if e.Mode.IsDir() {
			e.Name += "/"
		}
		out = append(out, e.Name)
	}
	return out
}

func ExampleRead() {
	dir, err := os.MkdirTemp("", "shop-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "compose.yaml"), nil, 0o644), os.WriteFile(filepath.Join(dir, ".env"), nil, 0o644)); err != nil {
		fmt.Println(err)
		return
	}
	_, err = Read(context.Background(), Options{Dir: dir})
	var secrets *SecretsError
	fmt.Println(errors.As(err, &secrets), secrets.Files)

	source, err := Read(context.Background(), Options{Dir: dir, AllowSecrets: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	archive, err := source.Pack(context.Background(), MaxArchive)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer archive.Close()
	fmt.Println(len(source.Entries), archive.Size > 0)
	// Output:
	// true [{.env an environment file}]
	// 2 true
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
