package source

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/fstest"
)

// TestSpecialFilesAreLeftOut has everything that a zip file cannot carry, and that no
// image needs.
func TestSpecialFilesAreLeftOut(t *testing.T) {
	dir := plant(t, map[string]string{"ok": "x", "sub/ok": "y"})
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	t.Chdir(dir) // the address of a socket is short
	l, err := net.Listen("unix", "sub/sock")
	must(t, err)
	defer l.Close()
	s, err := Read(t.Context(), Options{Dir: "."})
	must(t, err)
	wantSpecial(t, s, `"pipe" it is a named pipe`, `"sub/sock" it is a socket`)
	if s.Files() != 2 {
		t.Errorf("%d files of %v, want 2", s.Files(), s.Entries)
	}
	tree := fstest.MapFS{"ok": {}, "dev": {Mode: fs.ModeDevice | fs.ModeCharDevice}, "door": {Mode: fs.ModeIrregular}}
	s, err = readTree(t.Context(), "/project", tree, Options{})
	must(t, err)
	wantSpecial(t, s, `"dev" it is a device`, `"door" it is a special file`)
}

func wantSpecial(t *testing.T, s *Source, want ...string) {
	t.Helper()
	var got []string
	for _, p := range s.Special {
		got = append(got, fmt.Sprintf("%q %s", p.Name, p.Reason))
	}
	if !slices.Equal(got, want) {
		t.Errorf("Special = %q, want %q", got, want)
	}
}

// vanishing is a tree whose files are listed and not there.
type vanishing struct {
	fstest.MapFS
	gone map[string]bool
}

func (v vanishing) Open(name string) (fs.File, error) {
	if v.gone[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return v.MapFS.Open(name)
}

func (v vanishing) ReadDir(name string) ([]fs.DirEntry, error) {
	if v.gone[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return v.MapFS.ReadDir(name)
}

// TestVanishedFilesAreLeftOut removes files between the listing and the reading.
func TestVanishedFilesAreLeftOut(t *testing.T) {
	tree := vanishing{fstest.MapFS{"file": {Data: []byte("x")}, "ok": {}, "dir/x": {}}, map[string]bool{"file": true, "dir": true}}
	s, err := readTree(t.Context(), "/project", tree, Options{})
	must(t, err)
	if got := names(s); !slices.Equal(got, []string{"dir/", "ok"}) {
		t.Errorf("entries %q, want the directory as it was seen and the file that is there", got)
	}
}

// TestPackLeavesOutVanishedFiles removes a file between Read and Pack.
func TestPackLeavesOutVanishedFiles(t *testing.T) {
	dir := plant(t, map[string]string{"file": "x", "ok": "y"})
	s, err := Read(t.Context(), Options{Dir: dir})
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, "file")))
	a, err := s.Pack(t.Context(), 0)
	must(t, err)
	defer a.Close()
	data, err := io.ReadAll(a.reader())
	must(t, err)
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	must(t, err)
	if len(z.File) != 1 || z.File[0].Name != "ok" {
		t.Errorf("the archive has %d files, want ok alone", len(z.File))
	}
	_, want := packed(t, plant(t, map[string]string{"ok": "y"}))
	if !bytes.Equal(data, want) {
		t.Error("the archive differs from one of a directory that never had the file")
	}
}
