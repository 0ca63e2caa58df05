package revisions

import (
	"regexp"
	"slices"
	"strings"

	"slipway/internal/tagname"
	"slipway/registry"
)

// commitHash is a name that a build gets from a commit (package build/revision),
// with its variants.
var commitHash = regexp.MustCompile(`^[0-9a-f]{12}(?:-dirty-[0-9a-f]{8})?(?:\.[0-9]+)?$`)

// HasRevisions reports whether a repository has a tag that only Slipway gives:
// a protecting tag, one of inputs, of a record or of the cache, or the name
// that a build gets from a commit.
func (l *Listing) HasRevisions(ref registry.Ref) bool {
	return l.any(ref, func(tag string) bool {
		owned := registry.IsProtected(tag) && tag != registry.TagLatest
		return owned || tagname.Kept(tag) || commitHash.MatchString(tag)
	})
}

// HasName reports whether a repository has a tag that begins with a prefix.
func (l *Listing) HasName(ref registry.Ref, prefix string) bool {
	return prefix != "" && l.any(ref, func(tag string) bool { return strings.HasPrefix(tag, prefix) })
}

// any reports whether a tag of a repository fits.
func (l *Listing) any(ref registry.Ref, fits func(string) bool) bool {
	for _, image := range l.images[ref] {
		if slices.ContainsFunc(image.Tags, fits) {
			return true
		}
	}
	return false
}
