package revision

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"slipway/internal/bounded"
)

// Root is one of the build inputs: a directory, seen through the filter its
// build uses, or a single file.
type Root struct {
	Label string    // distinguishes the roots of one hash; not a path of one machine
	FS    fsutil.FS // a directory
	File  string    // or the path of one file, links followed

	// Skip leaves out paths inside FS, such as a file Slipway itself writes
	// there. They are relative, with slashes.
	Skip func(path string) bool
}

// ContentOf is the sha256, in hex, of everything in roots: labels, relative
// paths, kinds, executable bits, link targets and bytes. File times, owners
// and the order of roots do not count, so the same inputs have the same
// checksum on every machine.
func ContentOf(ctx context.Context, roots []Root) (string, error) {
	if len(roots) == 0 {
		return "", errors.New("no build inputs to hash")
	}
	roots = slices.SortedFunc(slices.Values(roots), func(a, b Root) int { return cmp.Compare(a.Label, b.Label) })
	h := sha256.New()
	for i, r := range roots {
		if i > 0 && r.Label == roots[i-1].Label {
			return "", fmt.Errorf("two build inputs are labelled %q", r.Label)
		}
		kind, sum, err := r.sum(ctx)
		if err != nil {
			return "", fmt.Errorf("build input %q: %w", r.Label, err)
		}
		frame(h, r.Label, kind, sum)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (r Root) sum(ctx context.Context) (kind, sum string, err error) {
	switch {
	case r.FS != nil && r.File == "":
		sum, err = r.directory(ctx)
		return "directory", sum, err
	case r.FS == nil && r.File != "":
		return singleFile(ctx, r.File)
	}
	return "", "", errors.New("must be either a directory or a file")
}

func singleFile(ctx context.Context, path string) (kind, sum string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", "", err
	}
	if !info.Mode().IsRegular() {
		return "", "", fmt.Errorf("%q is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", "", err
	}
	sum, err = fileSum(ctx, f)
	return fileKind(info.Mode()), sum, err
}

// node is an entry of a directory before its bytes are read.
type node struct {
	path string
	mode fs.FileMode
	link string
}

func (r Root) directory(ctx context.Context) (string, error) {
	nodes, err := r.nodes(ctx)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, n := range nodes {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		kind, value, err := r.entry(ctx, n)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // it vanished, as if the walk had begun later
		case err != nil:
			return "", fmt.Errorf("%q: %w", n.path, err)
		}
		frame(h, n.path, kind, value)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// entry describes one entry. Its error is fs.ErrNotExist if it vanished.
func (r Root) entry(ctx context.Context, n node) (kind, value string, err error) {
	switch {
	case n.mode.IsRegular():
		value, err = sumOf(ctx, func() (io.ReadCloser, error) { return r.FS.Open(n.path) })
		return fileKind(n.mode), value, err
	case n.mode&fs.ModeSymlink != 0:
		return "link", n.link, nil
	}
	return n.mode.Type().String(), "", nil
}

// unreadable is in place of the checksum of a file that this user cannot read. Only a
// build that does not ask for the file gives the same image without it.
const unreadable = "unreadable"

// nodes lists FS by path. The files are opened only later, as a walk of
// fsutil takes a "does not exist" from its callback for "go on", and would so
// leave out other files of the same directory.
func (r Root) nodes(ctx context.Context) ([]node, error) {
	var nodes []node
	var failed error
	err := r.FS.Walk(ctx, "", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			failed = err
			return fs.SkipAll
		}
		slashed := filepath.ToSlash(path)
		if r.Skip != nil && r.Skip(slashed) {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			failed = err
			return fs.SkipAll
		}
		n := node{path: slashed, mode: info.Mode()}
		if stat, ok := info.Sys().(*types.Stat); ok {
			n.link = stat.Linkname
		}
		nodes = append(nodes, n)
		return nil
	})
	if err := errors.Join(failed, err); err != nil {
		return nil, err
	}
	slices.SortFunc(nodes, func(a, b node) int { return cmp.Compare(a.path, b.path) })
	return nodes, nil
}

// fileKind knows of a mode what git does: whether the owner may execute it.
func fileKind(mode fs.FileMode) string {
	if mode&0o100 != 0 {
		return "executable"
	}
	return "file"
}

// sumOf is the checksum of the file that open opens, or unreadable.
func sumOf(ctx context.Context, open func() (io.ReadCloser, error)) (string, error) {
	f, err := open()
	sum := ""
	if err == nil {
		sum, err = fileSum(ctx, f)
	}
	if err == nil || ctx.Err() != nil || !skippable(err) {
		return sum, err
	}
	return unreadable, nil
}

// skippable reports whether a file is there and cannot be read, for a reason of its own.
func skippable(err error) bool {
	return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !bounded.Exhausted(err)
}

// fileSum reads f to its end and closes it.
func fileSum(ctx context.Context, f io.ReadCloser) (string, error) {
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, bounded.Reader(ctx, f)); err != nil {
		return "", err
	}
	return string(h.Sum(nil)), nil
}

// frame writes parts so that no two lists of parts give the same bytes: their
// number, then the length of each before it.
func frame(h hash.Hash, parts ...string) {
	var n [8]byte
	put := func(v int) { binary.BigEndian.PutUint64(n[:], uint64(v)); h.Write(n[:]) }
	put(len(parts))
	for _, p := range parts {
		put(len(p))
		io.WriteString(h, p)
	}
}
