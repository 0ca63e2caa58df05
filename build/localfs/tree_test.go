package localfs

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	fstypes "github.com/tonistiigi/fsutil/types"
)

// Who owns the files on this host must not reach the image.
func TestTreeBelongsToRoot(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(file, 1234, 1234); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := Whole(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = tree.Walk(context.Background(), "", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		s := info.Sys().(*fstypes.Stat)
		if seen++; s.Uid != 0 || s.Gid != 0 {
			t.Errorf("%s belongs to %d:%d", path, s.Uid, s.Gid)
		}
		return nil
	})
	if err != nil || seen == 0 {
		t.Errorf("walked %d files: %v", seen, err)
	}
}
