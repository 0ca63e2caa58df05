//go:build !linux

package doctor

import "errors"

// space is for managed engines, which run on Linux only.
func space(string) (free uint64, writable bool, err error) {
	return 0, false, errors.New("free space is known on Linux only")
}
