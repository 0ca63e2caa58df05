package allow

import (
	"os"
	"path/filepath"
	"strings"
)

// Inside reports whether path is dir or lies below it, symbolic links resolved.
func Inside(dir, path string) bool { return below(Real(dir), Real(path)) }

// below is Inside for paths as they are written.
func below(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// Real returns an absolute path with its symbolic links resolved. Of a path that
// does not exist yet, the part that does is resolved. A link whose target cannot be
// found is followed as far as it leads.
func Real(path string) string { return realPath(filepath.Clean(path), maxLinks) }

// maxLinks is how many links that lead nowhere are followed in one path, the
// number at which Linux gives up (path_resolution(7)).
const maxLinks = 40

// maxPath is the longest path in bytes that Linux opens (PATH_MAX in limits.h).
const maxPath = 4096

func realPath(path string, links int) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	if target, err := os.Readlink(path); err == nil && links > 0 {
		if !filepath.IsAbs(target) {
			target = filepath.Join(realPath(filepath.Dir(path), links-1), target)
		}
		return realPath(filepath.Clean(target), links-1)
	}
	parent := filepath.Dir(path)
	if parent == path || len(path) > maxPath {
		return path
	}
	return filepath.Join(realPath(parent, links), filepath.Base(path))
}

// Top returns the top of the clone that holds dir: the nearest directory at or above
// it with a .git in it. Without one it is dir itself. A clone that is the home
// directory or the root of the file system holds more than a project, so there
// it is dir too.
func Top(dir, home string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if at == filepath.Dir(at) || home != "" && Real(at) == Real(home) {
			return dir
		}
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
	}
}
