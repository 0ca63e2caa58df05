package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// privateDir makes a directory that only this user can enter. One that is there
// already must be this user's. A wider mode is narrowed, but a directory in which
// others could have put something, such as a socket of theirs, must be empty. A
// symbolic link is refused in the last place of the path: whoever may write to a
// shared directory such as /tmp could have put it there.
func privateDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	// The directory is held open while it is looked at, so that no other takes
	// its place.
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return &StateError{Err: fmt.Errorf("%s is not a directory (a symbolic link is not followed)", dir)}
	case err != nil:
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	f := os.NewFile(uintptr(fd), dir)
	return errors.Join(narrow(f), f.Close())
}

// narrow makes an open directory this user's alone.
func narrow(dir *os.File) error {
	var s unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &s); err != nil {
		return &os.PathError{Op: "stat", Path: dir.Name(), Err: err}
	}
	if int(s.Uid) != os.Geteuid() {
		return &StateError{Err: fmt.Errorf("%s belongs to user %d, not to user %d who runs slipway", dir.Name(), s.Uid, os.Geteuid())}
	}
	if s.Mode&0o777 == 0o700 {
		return nil
	}
	if err := dir.Chmod(0o700); err != nil {
		return err
	}
	// Now no other user can add anything.
	if _, err := dir.Readdirnames(1); s.Mode&0o022 != 0 && !errors.Is(err, io.EOF) {
		err = errors.Join(err, dir.Chmod(os.FileMode(s.Mode&0o777))) // as it was: it is looked at again
		return &StateError{Err: errors.Join(fmt.Errorf("%s was writable by other users, and holds files", dir.Name()), err)}
	}
	return nil
}

// createPrivate opens a file of mode 0600, whatever the umask and whatever mode
// it had, empty. A symbolic link is not followed.
func createPrivate(path string) (*os.File, error) {
	return openPrivate(path, os.O_WRONLY|os.O_TRUNC)
}

func openPrivate(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, how|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func writePrivate(path string, text []byte) error {
	f, err := createPrivate(path)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
