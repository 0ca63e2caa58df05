package localfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"

	"slipway/internal/bounded"
)

// directory is a directory of this host. Its walk goes on when a file vanishes, where
// that of fsutil leaves out the rest of the file's directory.
type directory struct {
	fsutil.FS
	dir string
	// lenient shows an entry that cannot be read as an irregular file. An engine does not
	// look at files that a build does not ask for, and so their content does not count.
	lenient bool
}

func newDirectory(dir string, lenient bool) (fsutil.FS, error) {
	tree, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, err
	}
	return directory{tree, dir, lenient}, nil
}

// Walk calls fn for everything below target.
func (d directory) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	return d.FS.Walk(ctx, target, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil && (errors.Is(err, fs.ErrNotExist) || d.passes(err)):
			return nil // it could be read a moment ago
		case err != nil:
			return fn(path, e, err)
		}
		if e.IsDir() && d.passes(listed(filepath.Join(d.dir, path))) {
			if err := fn(path, &fsutil.DirEntryInfo{Stat: irregular(path)}, nil); err != nil {
				return err
			}
			return fs.SkipDir
		}
		seen := &entry{DirEntry: e, in: d, path: path}
		err = fn(path, seen, nil)
		switch {
		case seen.gone && e.IsDir():
			return fs.SkipDir
		case seen.gone && (errors.Is(err, fs.SkipDir) || errors.Is(err, fs.ErrNotExist)):
			return nil
		}
		return err
	})
}

// passes reports whether the walk goes on after an error.
func (d directory) passes(err error) bool {
	return d.lenient && err != nil && !errors.Is(err, fs.ErrNotExist) && !bounded.Exhausted(err)
}

// listed returns the error of opening a directory.
func listed(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return f.Close()
}

// irregular describes an entry of which only the name is known.
func irregular(path string) *fstypes.Stat {
	return &fstypes.Stat{Path: path, Mode: uint32(fs.ModeIrregular)}
}

// entry is an entry whose status is read when it is asked for.
type entry struct {
	fs.DirEntry
	in   directory
	path string
	// gone reports that it vanished.
	gone bool
}

// Info returns the entry's status.
func (e *entry) Info() (fs.FileInfo, error) {
	info, err := e.DirEntry.Info()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.gone = true
	case e.in.passes(err):
		return &fsutil.StatInfo{Stat: irregular(e.path)}, nil
	}
	return info, err
}
