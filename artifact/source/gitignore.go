package source

import (
	"bytes"
	"context"
	"errors"
	"path"
	"path/filepath"
	"strings"

	"slipway/internal/safegit"
)

// gitIgnored holds the names that git ignores. git itself is run for them, because
// its rules include the user's settings, every .gitignore, and tracked files.
type gitIgnored struct {
	files, dirs map[string]bool
	missing     bool // git is not installed
}

func (g *gitIgnored) ignores(name string, isDir bool) bool {
	if isDir {
		return g.dirs[name]
	}
	return g.files[name]
}

// read adds the names that git ignores in dir/below, "" for dir itself. Without a
// repository it makes an empty one temporarily, so that .gitignore files apply
// there as well.
func (g *gitIgnored) read(ctx context.Context, dir, below string) error {
	at := filepath.Join(dir, filepath.FromSlash(below))
	repo, err := safegit.Open(ctx, at)
	if errors.Is(err, safegit.ErrNoRepository) {
		repo, err = safegit.Empty(ctx, at)
	}
	if errors.Is(err, safegit.ErrNoBinary) {
		g.missing = true
		return nil
	}
	if err != nil {
		return gitError(ctx, at, err)
	}
	out, err := repo.Run(ctx, at, nil, listIgnored...)
	if err := errors.Join(err, repo.Close()); err != nil {
		return gitError(ctx, at, err)
	}
	g.add(below, out)
	return nil
}

// listIgnored prints what is ignored, directories that hold nothing else by their name
// and a slash.
var listIgnored = []string{"ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"}

func (g *gitIgnored) add(below string, list []byte) {
	if g.files == nil {
		g.files, g.dirs = map[string]bool{}, map[string]bool{}
	}
	for name := range bytes.SplitSeq(list, []byte{0}) {
		if len(name) == 0 {
			continue
		}
		plain, isDir := strings.CutSuffix(string(name), "/")
		if isDir {
			g.dirs[path.Join(below, plain)] = true
		} else {
			g.files[path.Join(below, plain)] = true
		}
	}
}

func gitError(ctx context.Context, dir string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return causedBy(GitFailed, dir, "listing the files that git ignores: %v", err)
}
