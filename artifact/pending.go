package artifact

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Pending is a file that will be written later. Its temporary file exists and has
// reserved space, so an obstacle is found before anything else is done. End it
// with Write or Discard.
type Pending struct {
	path   string // as it was named
	target string // links followed
	mode   fs.FileMode
	tmp    *os.File
}

// Reserve reserves size bytes next to the file at path, and removes the temporary
// files that killed processes left there. It does not change the file itself.
func Reserve(path string, size int) (*Pending, error) {
	target, mode, err := replaceable(path)
	if err != nil {
		return nil, err
	}
	p := &Pending{path: path, target: target, mode: mode}
	if p.tmp, err = createTemp(target); err != nil {
		return nil, fmt.Errorf("writing %q: %w", path, err)
	}
	if _, err := p.tmp.Write(make([]byte, size)); err != nil {
		return nil, errors.Join(fmt.Errorf("writing %q: %w", path, err), p.Discard())
	}
	return p, nil
}

// Discard removes the temporary file. It does nothing after Write.
func (p *Pending) Discard() error {
	if p.tmp == nil {
		return nil
	}
	tmp := p.tmp
	p.tmp = nil
	return errors.Join(removed(tmp.Name()), tmp.Close())
}

// Write replaces the content of the file by data, as WriteFile does.
func (p *Pending) Write(data []byte) (written bool, err error) {
	if sameContent(p.target, data) {
		return false, p.Discard()
	}
	tmp := p.tmp
	p.tmp = nil
	if err := p.finish(tmp, data); err != nil {
		return false, errors.Join(fmt.Errorf("writing %q: %w", p.path, err), removed(tmp.Name()))
	}
	return true, nil
}

func (p *Pending) finish(tmp *os.File, data []byte) error {
	_, err := tmp.WriteAt(data, 0)
	if err == nil {
		// Only now: room that was given back could be gone.
		err = tmp.Truncate(int64(len(data)))
	}
	if err == nil {
		err = tmp.Chmod(p.mode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err == nil {
		err = os.Rename(tmp.Name(), p.target)
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(p.target))
}

// replaceable follows links and makes sure that a file can be written there. A
// new file has mode 0644.
func replaceable(path string) (target string, mode fs.FileMode, err error) {
	target = path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		target = resolved
	}
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return target, 0o644, nil
	case err != nil:
		return "", 0, fmt.Errorf("writing %q: %w", path, err)
	case !info.Mode().IsRegular():
		return "", 0, fmt.Errorf("writing %q: it is not a regular file", path)
	}
	return target, info.Mode().Perm(), nil
}

// sameContent reports whether data is the content of the regular file at path. An
// unreadable file is simply replaced.
func sameContent(path string, data []byte) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(data)) {
		return false
	}
	old, err := os.ReadFile(path)
	return err == nil && bytes.Equal(old, data)
}

// createTemp makes a temporary file next to the file at path, locked while this
// process has it open, and removes those that no process has locked.
func createTemp(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	dir = filepath.Clean(dir)
	removeStale(dir, base)
	for {
		tmp, err := os.CreateTemp(dir, "."+base+".*.tmp")
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("create directory %q first: %w", dir, fs.ErrNotExist)
		}
		if err != nil {
			return nil, err
		}
		// Until it is locked, another process may take it for a left one.
		if !lock(tmp) || still(tmp) {
			return tmp, nil
		}
		if err := tmp.Close(); err != nil {
			return nil, err
		}
	}
}

// still reports whether an open file has its name.
func still(f *os.File) bool {
	open, err := f.Stat()
	named, statErr := os.Lstat(f.Name())
	return err == nil && statErr == nil && os.SameFile(open, named)
}

// removeStale removes the temporary files of the file base that no process has locked.
// One that cannot be removed does no harm: contexts and hashes leave it out.
func removeStale(dir, base string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		middle, isTemp := strings.CutPrefix(e.Name(), "."+base+".")
		middle, isTmp := strings.CutSuffix(middle, ".tmp")
		if !isTemp || !isTmp || !digits.MatchString(middle) || !e.Type().IsRegular() {
			continue
		}
		f, err := os.OpenFile(filepath.Join(dir, e.Name()), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if lock(f) && still(f) {
			_ = os.Remove(f.Name())
		}
		_ = f.Close()
	}
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// IsTemporary reports whether a name is that of a temporary file of definitions, as a
// killed process leaves it.
func IsTemporary(name string) bool { return temporary.MatchString(name) }

var temporary = regexp.MustCompile(`^\.(imagedefinitions.*|imageDetail|taskdefinition.*)\.json\.[0-9]+\.tmp$`)
