package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// swept sweeps a root and returns the records for which clean was called.
func swept(t *testing.T, root string, result error) (paths []string, err error) {
	t.Helper()
	err = Sweep(root, func(path string) error {
		paths = append(paths, path)
		return result
	})
	return paths, err
}

func open(t *testing.T, root string) (*Dir, string) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := Open(root, data)
	if err != nil {
		t.Fatal(err)
	}
	return d, data
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A record that no process holds is swept with its data, and others stay.
func TestSweep(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	if paths, err := swept(t, root, nil); err != nil || paths != nil {
		t.Errorf("without a root: %q, %v", paths, err)
	}
	runs, data := open(t, root)
	killed, leftover := open(t, root)
	killed.lock.Close() // as when its process ends
	if _, err := swept(t, root, os.ErrPermission); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a record that cannot be cleaned: %v", err)
	}
	if !exists(killed.Path) || !exists(leftover) {
		t.Error("a record that cannot be cleaned is removed")
	}
	paths, err := swept(t, root, nil)
	if err != nil || len(paths) != 1 || paths[0] != killed.Path {
		t.Errorf("swept %q, %v, want %q", paths, err, killed.Path)
	}
	if exists(killed.Path) || exists(leftover) {
		t.Error("a record of an ended process stays, or its data")
	}
	if !exists(runs.Path) || !exists(data) {
		t.Error("a record of a running process is removed, or its data")
	}
	if err := runs.Close(); err != nil || exists(runs.Path) || !exists(data) {
		t.Errorf("after Close: %v, the record is there: %t, the data: %t", err, exists(runs.Path), exists(data))
	}
}
