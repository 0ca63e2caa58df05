package revision

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tonistiigi/fsutil"
)

// failingFS fails to open one file.
type failingFS struct {
	fsutil.FS
	name string
	err  error
}

func (f failingFS) Open(name string) (io.ReadCloser, error) {
	if name == f.name {
		return nil, &os.PathError{Op: "open", Path: name, Err: f.err}
	}
	return f.FS.Open(name)
}

// TestContentOfVanishedFile removes a file after the walk: the checksum is that of a
// directory that never had it.
func TestContentOfVanishedFile(t *testing.T) {
	dir := newContext(t)
	without := newContext(t)
	must(t, os.Remove(filepath.Join(without, "a.txt")))
	root := dirRoot(t, "web", dir)
	root.FS = failingFS{root.FS, "a.txt", syscall.ENOENT}
	if got, want := contentOf(t, root), contentOf(t, dirRoot(t, "web", without)); got != want {
		t.Errorf("ContentOf = %s with a file that vanished, want %s as without it", got, want)
	}
}

func TestContentOfUnreadableFile(t *testing.T) {
	dir := newContext(t)
	whole := contentOf(t, dirRoot(t, "web", dir))
	for _, number := range []error{syscall.EACCES, syscall.ENXIO, syscall.EIO} {
		root := dirRoot(t, "web", dir)
		root.FS = failingFS{root.FS, "a.txt", number}
		sum := contentOf(t, root)
		if sum == whole {
			t.Errorf("%v: ContentOf = that of a file that was read", number)
		}
		must(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("other\n"), 0o644))
		if other := contentOf(t, root); other != sum {
			t.Errorf("%v: ContentOf = %s, then %s: the bytes of a file that cannot be read count", number, sum, other)
		}
		must(t, os.WriteFile(filepath.Join(dir, "sub/b.txt"), []byte(number.Error()), 0o644))
		if contentOf(t, root) == sum {
			t.Errorf("%v: the other files do not count", number)
		}
	}
}

// TestContentWithoutOpenFiles: a process that may open no more files has read nothing.
func TestContentWithoutOpenFiles(t *testing.T) {
	root := dirRoot(t, "web", newContext(t))
	root.FS = failingFS{root.FS, "a.txt", syscall.EMFILE}
	if sum, err := ContentOf(t.Context(), []Root{root}); err == nil {
		t.Errorf("ContentOf = %s without an error", sum)
	}
}

func TestContentOfSocket(t *testing.T) {
	dir := newContext(t)
	before := contentOf(t, dirRoot(t, "web", dir))
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	defer syscall.Close(fd)
	t.Chdir(dir) // the address of a socket is short
	must(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: "sock"}))
	if contentOf(t, dirRoot(t, "web", dir)) == before {
		t.Error("ContentOf does not change with a socket, of which BuildKit makes an empty file")
	}
}
