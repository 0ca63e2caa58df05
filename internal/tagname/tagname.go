// Package tagname has the tags that Slipway reserves. Neither a build nor a compose
// file may give an image such a tag.
package tagname

import (
	"slices"
	"strings"
)

// Prefixes returns the prefixes of the tags that Slipway reserves, including those
// that it does not use yet.
func Prefixes() []string {
	return []string{"revision-", "latest-revision", "in-", "live-", "previous-"}
}

// Kept reports whether a tag begins with one of Prefixes.
func Kept(tag string) bool {
	return slices.ContainsFunc(Prefixes(), func(prefix string) bool { return strings.HasPrefix(tag, prefix) })
}
