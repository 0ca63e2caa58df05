package revision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// sum is the checksum, in hex, of what now stands at the changed paths: kind,
// executable bit and bytes, or that nothing is there. File times, owners and
// the index do not count, so the same edits have the same sum elsewhere. A
// submodule counts with all its files.
func (t *tree) sum(ctx context.Context, changes []change) (string, error) {
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.path)
	}
	return t.sumPaths(ctx, paths)
}

func (t *tree) sumPaths(ctx context.Context, paths []string) (string, error) {
	h := sha256.New()
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		kind, value, err := t.entry(ctx, filepath.Join(t.dir, p))
		if err != nil {
			return "", err
		}
		frame(h, p, kind, value)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// entry describes the file, directory or link at a path.
func (t *tree) entry(ctx context.Context, abs string) (kind, value string, err error) {
	kind, value, err = t.present(ctx, abs)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "absent", "", nil
	}
	return kind, value, err
}

// present is entry for a path where something stands.
func (t *tree) present(ctx context.Context, abs string) (kind, value string, err error) {
	info, err := os.Lstat(abs)
	switch {
	case err != nil && skippable(err):
		return unreadable, "", nil
	case err != nil:
		return "", "", err
	case info.Mode().IsRegular():
		value, err = sumOf(ctx, func() (io.ReadCloser, error) { return os.Open(abs) })
		return fileKind(info.Mode()), value, err
	case info.Mode()&fs.ModeSymlink != 0:
		value, err = os.Readlink(abs)
		return "link", value, err
	case info.IsDir():
		value, err = t.directory(ctx, abs)
		return "directory", value, err
	}
	return "special", info.Mode().Type().String(), nil
}

// directory is the sum of the files that git would keep in a submodule, or in
// a repository that lies in the tree unrecorded.
func (t *tree) directory(ctx context.Context, dir string) (string, error) {
	sub, err := openTree(ctx, dir, t.ignored)
	if err != nil {
		return "", fmt.Errorf("directory %q: %w", dir, err)
	}
	defer sub.close()
	out, err := sub.repo.Run(ctx, dir, nil, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return "", fmt.Errorf("directory %q: %w", dir, gitFailure(dir, err))
	}
	var paths []string
	for _, p := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		p = strings.TrimSuffix(p, "/")
		if p != "" && !t.ignored(filepath.Join(dir, p)) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	sub.dir = dir
	return sub.sumPaths(ctx, slices.Compact(paths))
}
