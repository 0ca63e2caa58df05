package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"slipway/artifact"
	"slipway/internal/bounded"
)

// walker collects the entries of a directory.
type walker struct {
	ctx     context.Context
	dir     string
	tree    fs.FS
	respect bool

	source   *Source
	problems []Problem
	git      gitIgnored
}

func (w *walker) run() error {
	if w.respect {
		if err := w.git.read(w.ctx, w.dir, ""); err != nil {
			return err
		}
	}
	return w.walk(".", nil)
}

// walk goes through the directory called name, "." for the top, under the ignore files
// of the directories above it.
func (w *walker) walk(name string, above dockerIgnores) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	children, err := fs.ReadDir(w.tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it vanished
	}
	if err != nil {
		w.problem(name, "it cannot be read: %v", cause(err))
		return nil
	}
	scopes, err := w.scopes(name, children, above)
	if err != nil {
		return err
	}
	for _, c := range children {
		if c.Name() == ".git" || artifact.IsTemporary(c.Name()) {
			continue
		}
		if err := w.visit(path.Join(name, c.Name()), c, scopes); err != nil {
			return err
		}
	}
	return nil
}

// scopes reads the ignore files of a directory.
func (w *walker) scopes(name string, children []fs.DirEntry, above dockerIgnores) (dockerIgnores, error) {
	if !w.respect {
		return nil, nil
	}
	scopes := above
	for _, c := range children {
		switch c.Name() {
		case ".dockerignore":
			data, err := w.readIgnore(path.Join(name, c.Name()))
			if err != nil {
				w.problem(path.Join(name, c.Name()), "it cannot be read: %v", cause(err))
				continue
			}
			if scopes, err = above.with(name, data); err != nil {
				return nil, badSource(w.dir, "correct the pattern", "%q: %v", path.Join(name, c.Name()), err)
			}
		case ".git":
			// A nested repository: git does not read it from outside.
			if name == "." {
				continue
			}
			if err := w.git.read(w.ctx, w.dir, name); err != nil {
				return nil, err
			}
		case ".gitignore":
			if w.git.missing {
				return nil, causedBy(NoGit, w.dir, "%q exists, and git, which applies it, is not installed", path.Join(name, c.Name()))
			}
		}
	}
	return scopes, nil
}

// maxIgnoreFile is the size of a .dockerignore in bytes.
const maxIgnoreFile = 1 << 20

// readIgnore reads an ignore file, links within the directory followed.
func (w *walker) readIgnore(name string) ([]byte, error) {
	info, err := fs.Stat(w.tree, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is a %s", kindOf(info.Mode().Type()))
	}
	f, err := w.tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bounded.Read(w.ctx, f, name, maxIgnoreFile)
}

// visit takes one entry and goes on below it.
func (w *walker) visit(name string, e fs.DirEntry, scopes dockerIgnores) error {
	if w.git.ignores(name, e.IsDir()) {
		w.source.LeftOut++
		return nil
	}
	verdict, below, err := scopes.classify(name, e.IsDir())
	if err != nil {
		return badSource(w.dir, "correct the pattern", "matching it against the .dockerignore files: %q: %v", name, err)
	}
	switch verdict {
	case exclude:
		w.source.LeftOut++
		return nil
	case descend:
		return w.walk(name, below)
	}
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it vanished
	}
	if err != nil {
		w.problem(name, "it cannot be read: %v", cause(err))
		return nil
	}
	if w.add(name, info) && e.IsDir() {
		return w.walk(name, below)
	}
	return nil
}

// add takes what a zip can carry.
func (w *walker) add(name string, info fs.FileInfo) bool {
	entry := Entry{Name: name, Mode: info.Mode()}
	switch kind := info.Mode().Type(); {
	case !utf8.ValidString(name):
		w.problem(name, "its name is not UTF-8")
		return false
	case strings.Contains(name, `\`):
		w.problem(name, `its name has a \, which is a separator elsewhere`)
		return false
	case kind == 0 && info.Size() > maxEntrySize:
		w.problem(name, "its %d bytes are more than a zip file can hold", info.Size())
		return false
	case kind == 0:
		entry.Size = info.Size()
	case kind != fs.ModeDir && kind != fs.ModeSymlink:
		w.source.Special = append(w.source.Special, Problem{name, "it is a " + kindOf(kind)})
		return false
	}
	w.source.Entries = append(w.source.Entries, entry)
	return true
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeDevice != 0:
		return "device"
	default:
		return "special file"
	}
}

func (w *walker) problem(name, format string, args ...any) {
	w.problems = append(w.problems, Problem{name, fmt.Sprintf(format, args...)})
}
