package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// cniCache is where libcni keeps results (CacheDir in its api.go); BuildKit has
// no setting for it.
const cniCache = "/var/lib/cni"

// shadow puts an empty directory of this mount namespace at a path where this
// user may not write. Where the path does not exist, its parent is replaced by
// one with the same entries.
func shadow(path string) error {
	err := mountEmpty(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	original, err := os.Open(parent)
	if err != nil {
		return err
	}
	defer original.Close()
	entries, err := original.ReadDir(-1)
	if err != nil {
		return err
	}
	if err := mountEmpty(parent); err != nil {
		return err
	}
	for _, e := range entries {
		if err := show(fmt.Sprintf("/proc/self/fd/%d/%s", original.Fd(), e.Name()), filepath.Join(parent, e.Name()), e.Type()); err != nil {
			return err
		}
	}
	return os.Mkdir(path, 0o700)
}

func mountEmpty(path string) error {
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return &fs.PathError{Op: "mount", Path: path, Err: err}
	}
	return nil
}

// show makes what is at one path appear at another one, which is free.
func show(from, at string, kind fs.FileMode) error {
	var err error
	switch {
	case kind&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, at)
	case kind.IsDir():
		err = os.Mkdir(at, 0o700)
	default:
		err = writePrivate(at, nil)
	}
	if err == nil {
		err = unix.Mount(from, at, "", unix.MS_BIND|unix.MS_REC, "")
	}
	if err != nil {
		return &fs.PathError{Op: "mount", Path: at, Err: err}
	}
	return nil
}
