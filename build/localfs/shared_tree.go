package localfs

import (
	"context"
	"io"
	"io/fs"
	"sync"

	"github.com/tonistiigi/fsutil"
)

// sharedTree is a tree that several requests may walk at the same time: the
// patterns of one are compiled when it is first walked (moby/patternmatcher), so
// each walk has its own.
type sharedTree struct {
	dir string
	own []string

	mu    sync.Mutex
	files fsutil.FS // for Open, under mu
}

// Shared returns the tree that Whole returns, for several requests that walk it at
// the same time.
func Shared(dir string, own []string) (fsutil.FS, error) {
	files, err := Whole(dir, own)
	return &sharedTree{dir: dir, own: own, files: files}, err
}

// Walk walks a tree of its own.
func (t *sharedTree) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	tree, err := Whole(t.dir, t.own)
	if err != nil {
		return err
	}
	return tree.Walk(ctx, target, fn)
}

// Open opens a file of the tree.
func (t *sharedTree) Open(path string) (io.ReadCloser, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.files.Open(path)
}
