package source

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// OutwardLinks returns the links whose targets lie outside the directory. A link is sent
// as it is, so the place where the archive is unpacked does not have such a target. The
// target of an absolute link always lies outside.
func (s *Source) OutwardLinks() []string {
	var out []string
	for _, e := range s.Entries {
		if e.Mode.Type() != fs.ModeSymlink {
			continue
		}
		target, err := os.Readlink(filepath.Join(s.Dir, filepath.FromSlash(e.Name)))
		if err != nil {
			continue // packing reports it
		}
		at := path.Join(path.Dir(e.Name), filepath.ToSlash(target))
		if filepath.IsAbs(target) || at == ".." || strings.HasPrefix(at, "../") {
			out = append(out, e.Name)
		}
	}
	return out
}
