package artifact

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// WriteFile replaces the content of the file at path by data. A reader, and a
// machine that loses power, finds the old content or the new. WriteFile writes a
// temporary file next to it, named "." + its name + ".*.tmp", and renames that.
// Only a killed process leaves a temporary file.
//
// An existing file keeps its permissions; a new one has 0644. A link to a file
// stays, and the file is replaced. If the file already has this content, WriteFile
// does nothing and written is false.
func WriteFile(path string, data []byte) (written bool, err error) {
	target, _, err := replaceable(path)
	if err != nil {
		return false, err
	}
	if sameContent(target, data) {
		return false, nil
	}
	p, err := Reserve(path, 0)
	if err != nil {
		return false, err
	}
	return p.Write(data)
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncDir makes a rename in dir durable. Some file systems have no such call for
// a directory.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
