// Package statedir keeps a record of what a sandbox has made on this host, so that
// the next one removes what a killed one has left behind.
package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Dir is the record of one sandbox. It is locked while the sandbox runs.
type Dir struct {
	// Path is a directory for small files that go with the host's memory.
	Path string
	lock *os.File
}

// dataLink is a symbolic link to the directory that has a sandbox's other files.
const (
	dataLink = "data"
	lockFile = "lock"
)

// Open makes the record of a sandbox below root, whose other files are in data.
func Open(root, data string) (*Dir, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	gate, err := lock(filepath.Join(root, lockFile), unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer gate.Close() // which unlocks it
	path, err := os.MkdirTemp(root, "sandbox-")
	if err != nil {
		return nil, err
	}
	d := &Dir{Path: path}
	if d.lock, err = lock(filepath.Join(path, lockFile), unix.LOCK_EX); err == nil {
		err = os.Symlink(data, filepath.Join(path, dataLink))
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Close removes the record.
func (d *Dir) Close() error {
	err := os.RemoveAll(d.Path)
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}

// Sweep removes what sandboxes below root have left behind that have not ended by
// themselves. clean is called with the path of a record to stop its containers.
func Sweep(root string, clean func(path string) error) error {
	gate, err := lock(filepath.Join(root, lockFile), unix.LOCK_EX)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer gate.Close()
	found, err := filepath.Glob(filepath.Join(root, "sandbox-*"))
	if err != nil {
		return err
	}
	for _, path := range found {
		err = errors.Join(err, sweep(path, clean))
	}
	return err
}

func sweep(path string, clean func(string) error) error {
	held, err := lock(filepath.Join(path, lockFile), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil // it runs
	}
	if err != nil {
		return err
	}
	defer held.Close()
	data, linked := os.Readlink(filepath.Join(path, dataLink))
	err = clean(path)
	if linked == nil {
		err = errors.Join(err, Unmount(data))
	}
	if err != nil {
		return fmt.Errorf("removing what an ended sandbox left in %s: %w", path, err)
	}
	if linked == nil {
		err = os.RemoveAll(data)
	}
	return errors.Join(err, os.RemoveAll(path))
}

// Unmount unmounts all that is mounted below a directory.
func Unmount(dir string) error {
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(strings.TrimSuffix(dir, "/")))
	for _, m := range mounts {
		err = errors.Join(err, unix.Unmount(m.Mountpoint, unix.MNT_DETACH))
	}
	return err
}
