package localfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"

	"slipway/internal/allow"
	"slipway/internal/bounded"
	"slipway/internal/fault"
	"slipway/project/compose"
)

// MaxIgnoreFile is the size of a .dockerignore in bytes; docs/limits.md lists it.
const MaxIgnoreFile = 1 << 20

// Whole returns a directory as the engine sees it, without the files that Slipway
// itself writes, whose absolute paths are own: with them in a context, each build
// would change the next one's digest.
func Whole(dir string, own []string) (fsutil.FS, error) {
	tree, err := newDirectory(dir, false)
	if err != nil {
		return nil, err
	}
	return filtered(tree, ownPatterns(dir, own))
}

// Included returns Whole without the files that the first existing ignore file
// excludes: the files that a build can depend on. Files that cannot be read are not
// an error.
func Included(dir string, ignoreFiles, own []string) (fsutil.FS, error) {
	patterns, err := firstIgnoreFile(ignoreFiles)
	if err != nil {
		return nil, err
	}
	return lenient(dir, append(patterns, ownPatterns(dir, own)...))
}

// Only returns a directory with the files of these names alone.
func Only(dir string, names []string) (fsutil.FS, error) {
	tree, err := newDirectory(dir, true)
	if err != nil {
		return nil, err
	}
	var patterns []string
	for _, name := range names {
		patterns = append(patterns, literal(name))
	}
	return fsutil.NewFilterFS(tree, &fsutil.FilterOpt{IncludePatterns: patterns})
}

// lenient returns a directory to be hashed.
func lenient(dir string, exclude []string) (fsutil.FS, error) {
	tree, err := newDirectory(dir, true)
	if err != nil {
		return nil, err
	}
	walk, err := filtered(tree, exclude)
	return unfiltered{walk, tree}, err
}

func filtered(tree fsutil.FS, exclude []string) (fsutil.FS, error) {
	return fsutil.NewFilterFS(tree, &fsutil.FilterOpt{ExcludePatterns: exclude, Map: ownedByRoot})
}

// ownedByRoot makes every file root's, as all BuildKit clients do: the image must not
// depend on the user who checked the files out, whose number may be another user's at
// the engine.
func ownedByRoot(_ string, s *fstypes.Stat) fsutil.MapResult {
	s.Uid, s.Gid = 0, 0
	return fsutil.MapResultKeep
}

// unfiltered is a filtered walk whose files are opened without the filter: that of
// fsutil decides again for each file, and not always the same.
type unfiltered struct {
	fsutil.FS
	files fsutil.FS
}

// Open opens the file at path.
func (u unfiltered) Open(path string) (io.ReadCloser, error) { return u.files.Open(path) }

func ownPatterns(dir string, own []string) []string {
	var patterns []string
	for _, p := range own {
		if allow.Inside(dir, filepath.Dir(p)) {
			if rel, err := filepath.Rel(dir, p); err == nil {
				below, base := path.Split(filepath.ToSlash(rel))
				// A killed process leaves the temporary file (artifact.WriteFile).
				patterns = append(patterns, literal(below+base), literal(below+"."+base+".")+"*.tmp")
			}
		}
	}
	return patterns
}

// literal returns a pattern of .dockerignore files that matches one path alone.
func literal(path string) string {
	return special.ReplaceAllString(path, `\$0`)
}

// special are the characters that have a meaning in patterns.
var special = regexp.MustCompile(`[^A-Za-z0-9/_ -]`)

// Excluded reports whether the first existing ignore file excludes a path below its
// directory, as Included decides. name has slashes.
func Excluded(ignoreFiles []string, name string) (bool, error) {
	patterns, err := firstIgnoreFile(ignoreFiles)
	if err != nil {
		return false, err
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return false, err
	}
	return matcher.MatchesOrParentMatches(filepath.FromSlash(name))
}

// firstIgnoreFile reads the patterns of the first of the files that exists.
func firstIgnoreFile(files []string) ([]string, error) {
	for _, path := range files {
		data, err := bounded.ReadFile(context.Background(), path, MaxIgnoreFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, compose.AsInput(err)
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(data))
		if err == nil {
			_, err = patternmatcher.New(patterns)
		}
		if err != nil {
			return nil, fault.NewInput(path, err.Error(), "correct the pattern")
		}
		return patterns, nil
	}
	return nil, nil
}
