package localfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tonistiigi/fsutil"
)

// walked returns the paths of a tree. do is called at each.
func walked(t *testing.T, tree fsutil.FS, do func(path string)) []string {
	t.Helper()
	var paths []string
	err := tree.Walk(t.Context(), "", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, err := e.Info(); err != nil {
			return err
		}
		paths = append(paths, path)
		do(path)
		return nil
	})
	if err != nil {
		t.Errorf("Walk = %v after %q", err, paths)
	}
	return paths
}

func manyFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"a", "b/file", "c", "d/file", "e"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestWalkWhileFilesVanish: a file that vanishes takes none of its neighbours with it, in
// what an engine receives and in what is hashed.
func TestWalkWhileFilesVanish(t *testing.T) {
	for what, open := range map[string]func(string) (fsutil.FS, error){
		"sent":     func(dir string) (fsutil.FS, error) { return Whole(dir, nil) },
		"filtered": func(dir string) (fsutil.FS, error) { return Whole(dir, []string{filepath.Join(dir, "own")}) },
		"hashed":   func(dir string) (fsutil.FS, error) { return lenient(dir, []string{"other"}) },
		"plain":    func(dir string) (fsutil.FS, error) { return newDirectory(dir, false) },
	} {
		dir := manyFiles(t)
		tree, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := walked(t, tree, func(path string) {
			if path != "a" {
				return
			}
			for _, name := range []string{"b", "c"} {
				if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
					t.Error(err)
				}
			}
		})
		if want := []string{"a", "d", "d/file", "e"}; !slices.Equal(got, want) {
			t.Errorf("%s: walked %q, want %q", what, got, want)
		}
	}
}

// TestDockerfileNamesAreNoPatterns checks that the name selects one Dockerfile alone.
func TestDockerfileNamesAreNoPatterns(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"Dockerfile[1]", "Dockerfile1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := Only(dir, []string{"Dockerfile[1]"})
	if err != nil {
		t.Fatal(err)
	}
	if got := walked(t, tree, func(string) {}); !slices.Equal(got, []string{"Dockerfile[1]"}) {
		t.Errorf("walked %q, want the Dockerfile alone", got)
	}
}
