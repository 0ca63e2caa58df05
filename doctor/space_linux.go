package doctor

import "golang.org/x/sys/unix"

// space is how many bytes this user may still write below a directory, and whether at all.
func space(dir string) (free uint64, writable bool, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false, err
	}
	return s.Bavail * uint64(s.Bsize), unix.Access(dir, unix.W_OK) == nil, nil
}
