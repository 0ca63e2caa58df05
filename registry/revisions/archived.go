package revisions

import (
	"maps"
	"slices"

	"slipway/registry"
	"slipway/registry/manifests"
)

// UnreadableError is an image that is there and cannot be read.
type UnreadableError = manifests.UnreadableError

// digestOf is the digest that a tag points to, that of an archived image as
// well; empty for none.
func (s *Snapshot) digestOf(ref registry.Ref, tag string) string {
	if i, ok := s.ByTag(ref, tag); ok {
		return i.Digest
	}
	return s.archived[ref][tag]
}

// isArchived reports whether a digest is that of an image which is there and
// cannot be read.
func (s *Snapshot) isArchived(ref registry.Ref, digest string) bool {
	return digest != "" && slices.Contains(slices.Collect(maps.Values(s.archived[ref])), digest)
}
