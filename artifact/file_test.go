package artifact

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wrote calls WriteFile and reads the file afterwards.
func wrote(t *testing.T, path, data string, want bool, mode fs.FileMode) {
	t.Helper()
	got, err := WriteFile(path, []byte(data))
	if err != nil || got != want {
		t.Fatalf("writing %q: got %v, %v, want %v", data, got, err, want)
	}
	read, err := os.ReadFile(path)
	if err != nil || string(read) != data {
		t.Fatalf("got %q, %v, want %q", read, err, data)
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != mode {
		t.Errorf("got mode %v, want %v", info.Mode(), mode)
	}
}

// only fails unless names is all there is in dir.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("got %v, want %v", got, names)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "defs.json")
	wrote(t, path, "one", true, 0o644)
	before, err := os.Stat(path)
	must(t, err)
	wrote(t, path, "one", false, 0o644)
	after, err := os.Stat(path)
	must(t, err)
	if !os.SameFile(before, after) {
		t.Error("a file with the same content was replaced")
	}
	wrote(t, path, "two", true, 0o644)
	must(t, os.Chmod(path, 0o640))
	wrote(t, path, "", true, 0o640)
	only(t, dir, "defs.json")
}

func TestWriteFileRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	wrote(t, "defs.json", "one", true, 0o644)
	only(t, ".", "defs.json")
}

func TestWriteFileThroughLink(t *testing.T) {
	dir, there := t.TempDir(), t.TempDir()
	link, target := filepath.Join(dir, "link"), filepath.Join(there, "target")
	must(t, os.WriteFile(target, []byte("old"), 0o600))
	must(t, os.Symlink(target, link))
	wrote(t, link, "new", true, 0o600)
	wrote(t, target, "new", false, 0o600)
	only(t, dir, "link")
	only(t, there, "target")
	if _, err := os.Readlink(link); err != nil {
		t.Errorf("the link is gone: %v", err)
	}
}

func TestWriteFileErrors(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/sub", 0o755))
	must(t, syscall.Mkfifo(dir+"/pipe", 0o644))
	must(t, os.WriteFile(dir+"/plain", nil, 0o644))
	for path, want := range map[string]string{
		dir + "/sub":          "not a regular file",
		dir + "/pipe":         "not a regular file",
		dir + "/none/x.json":  "create directory",
		dir + "/plain/x.json": "not a directory",
	} {
		written, err := WriteFile(path, []byte("x"))
		if written || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, %v, want %q", path, written, err, want)
		}
	}
	only(t, dir, "pipe", "plain", "sub")
}

func TestFailedRenameLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	p, err := Reserve(dir+"/taken", 10)
	must(t, err)
	must(t, os.MkdirAll(dir+"/taken/inside", 0o755))
	if written, err := p.Write([]byte("x")); err == nil || written {
		t.Fatalf("got %v, %v where a directory came in the way", written, err)
	}
	only(t, dir, "taken")
}

func TestFailedWriteIsAnError(t *testing.T) {
	dir := t.TempDir()
	p, err := Reserve(dir+"/x", 10)
	must(t, err)
	must(t, p.tmp.Close())
	if _, err := p.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want os.ErrClosed", err)
	}
	only(t, dir)
}

// TestReadersSeeWholeFiles reads all the while two contents take turns.
func TestReadersSeeWholeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "defs.json")
	contents := []string{strings.Repeat("a", 1<<16), strings.Repeat("b", 1<<15)}
	wrote(t, path, contents[0], true, 0o644)
	var readers sync.WaitGroup
	done := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != contents[0] && string(got) != contents[1] {
				t.Errorf("read %d bytes, %v", len(got), err)
				return
			}
		}
	})
	for i := range 50 {
		wrote(t, path, contents[(i+1)%2], true, 0o644)
	}
	close(done)
	readers.Wait()
}
