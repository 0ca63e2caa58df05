package inputs

import (
	"errors"
	"slices"
)

// ErrChanged is the error of Confirm where files or commits have changed since
// the inputs were read.
var ErrChanged = errors.New("changed")

// Confirm returns nil if the image that was built from these inputs may be known
// by their key. The argument has the inputs read again after the build, with the
// configurations of the base images.
func (r Result) Confirm(now Result) error {
	switch {
	case r.Inputs == nil:
		return r.Unknown
	case now.Unknown != nil:
		return now.Unknown
	case !within(now.Reads, r.Reads):
		return errors.New("its base images change the sources that it reads")
	case !covers(r.Inputs.Trees, now.Inputs.Trees) || !covers(r.Inputs.Commits, now.Inputs.Commits):
		return ErrChanged
	}
	return nil
}

// within reports whether all sources are among others. An image without layers is
// no source any more once its configuration is known.
func within(sources, others []string) bool {
	return !slices.ContainsFunc(sources, func(s string) bool { return !slices.Contains(others, s) })
}

// covers reports whether a map has all pairs of another one. The steps are
// different where base images have a configuration.
func covers(all, some map[string]string) bool {
	for k, v := range some {
		if all[k] != v {
			return false
		}
	}
	return true
}
