package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The limits are lines of Go without tests. A reader can take in a package of
// that size, and a function on one screen.
const (
	maxPackage  = 4000
	maxCommand  = 4500 // for cmd, whose files are one command each
	maxFunction = 60
)

// TestSizes: no package and no function of the module is larger than its limit.
func TestSizes(t *testing.T) {
	found, files, err := oversized("../..")
	if err != nil {
		t.Fatal(err)
	}
	if files < 500 {
		t.Errorf("%d files were read, want all of the module", files)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// TestSizesAreFound lays out a module in which packages and functions have and
// exceed their limits.
func TestSizesAreFound(t *testing.T) {
	root := t.TempDir()
	function := func(lines int) string {
		return "package p\n\nfunc F() {\n" + strings.Repeat("\tprintln()\n", lines-2) + "}\n"
	}
	lines := func(n int) string { return "package p\n" + strings.Repeat("\n", n-1) }
	write(t, root, "small/whole.go", lines(maxPackage))
	write(t, root, "small/whole_test.go", function(maxPackage))
	write(t, root, "small/testdata/large.go", function(maxPackage))
	write(t, root, "large/part.go", lines(maxPackage))
	write(t, root, "large/rest.go", lines(1))
	write(t, root, "cmd/whole.go", lines(maxCommand))
	write(t, root, "cmd/other/whole.go", lines(maxPackage+1))
	write(t, root, "functions/short.go", function(maxFunction))
	write(t, root, "functions/long.go", function(maxFunction+1))
	write(t, root, "tools/go.mod", "module tools\n")
	write(t, root, "tools/large.go", lines(maxPackage+1))
	found, files, err := oversized(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cmd/other: 4001 lines in a package, more than 4000",
		"functions/long.go:3: 61 lines in F, more than 60",
		"large: 4001 lines in a package, more than 4000",
	}
	if slices.Sort(found); !slices.Equal(found, want) || files != 7 {
		t.Errorf("oversized found %q in %d files, want %q in 7", found, files, want)
	}
	write(t, root, "cmd/more.go", lines(1))
	if found, _, err = oversized(root); err != nil || !slices.Contains(found, "cmd: 4501 lines in a package, more than 4500") {
		t.Errorf("oversized found %q, %v, want that cmd is too large", found, err)
	}
}

// oversized returns the packages and functions below root that exceed their
// limits, and the number of files read. Tests and other modules do not count.
func oversized(root string) (found []string, files int, err error) {
	sizes := map[string]int{}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != root && skipped(path):
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		lines, long, err := measure(path, filepath.ToSlash(name))
		files++
		sizes[filepath.ToSlash(filepath.Dir(name))] += lines
		found = append(found, long...)
		return err
	})
	for _, pkg := range slices.Sorted(maps.Keys(sizes)) {
		limit := maxPackage
		if pkg == "cmd" {
			limit = maxCommand
		}
		if sizes[pkg] > limit {
			found = append(found, fmt.Sprintf("%s: %d lines in a package, more than %d", pkg, sizes[pkg], limit))
		}
	}
	return found, files, err
}

// skipped reports whether the go command would skip a directory, or find
// another module in it.
func skipped(dir string) bool {
	base := filepath.Base(dir)
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")
}

// measure returns the lines of a file, and its functions that are too long.
func measure(path, name string) (lines int, long []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	if err != nil {
		return 0, nil, err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		if !ok {
			return true
		}
		first, last := set.Position(f.Pos()).Line, set.Position(f.End()).Line
		if n := last - first + 1; n > maxFunction {
			long = append(long, fmt.Sprintf("%s:%d: %d lines in %s, more than %d", name, first, n, f.Name.Name, maxFunction))
		}
		return false
	})
	return strings.Count(string(text), "\n"), long, nil
}
