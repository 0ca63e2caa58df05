package localfs

import (
	"context"
	"encoding/hex"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// timed is a directory whose files have times that say what is in them.
//
// An engine that received a directory before asks only for the files whose size,
// mode or time differ from what it has (fsutil, diff_containerd.go). A file of
// the same size and time with other bytes would stay as it was. So the fraction
// of a second comes from the content; layers hold whole seconds, so that it is
// in no image. Files that a zip archive gave its first day, as `submit` makes
// all of them, have seconds from the content too: a web server distinguishes
// versions of a file by its size and its time in seconds.
type timed struct {
	fsutil.FS
	dir string
	sum func(ctx context.Context, path string) (string, error)
}

// Timed returns the tree of a directory whose files have times that depend on their
// content: sum returns the sha256 of a file in hex.
func Timed(tree fsutil.FS, dir string, sum func(ctx context.Context, path string) (string, error)) fsutil.FS {
	return timed{tree, dir, sum}
}

// Walk gives each regular file its time when it is asked for: what an outer
// filter leaves out is not read.
func (t timed) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	return t.FS.Walk(ctx, target, func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.Type().IsRegular() {
			entry = timedEntry{entry, func() (string, error) { return t.sum(ctx, filepath.Join(t.dir, path)) }}
		}
		return fn(path, entry, err)
	})
}

// timedEntry is a regular file.
type timedEntry struct {
	fs.DirEntry
	sum func() (string, error)
}

// Info describes the file with its time. One that cannot be read keeps its own:
// it fails when the engine asks for it.
func (e timedEntry) Info() (fs.FileInfo, error) {
	info, err := e.DirEntry.Info()
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*fstypes.Stat)
	if !ok {
		return info, nil
	}
	if sum, err := e.sum(); err == nil {
		stat = stat.CloneVT()
		stat.ModTime = contentTime(stat.ModTime, sum)
	}
	return &fsutil.StatInfo{Stat: stat}, nil
}

// zipDays is the end of the first days of zip archives in any time zone, and
// zipYears the span of the times that files of those days get.
var zipDays = time.Date(1980, 1, 3, 0, 0, 0, 0, time.UTC).UnixNano()

const zipYears = 20 * 365 * 24 * time.Hour

// contentTime is a time in nanoseconds with a fraction from a sha256 in hex, and
// for one of the first days of zip archives with seconds from it too.
func contentTime(nanos int64, sum string) int64 {
	var bits uint64
	raw, err := hex.DecodeString(sum)
	if err != nil {
		return nanos
	}
	for _, b := range raw[:8] {
		bits = bits<<8 | uint64(b)
	}
	if nanos < zipDays {
		return zipDays + int64(bits%uint64(zipYears))
	}
	second := int64(time.Second)
	return nanos - nanos%second + int64(bits%uint64(second))
}
