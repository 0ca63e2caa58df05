package build

import (
	"strings"

	"slipway/build/solve"
	"slipway/internal/phrase"
)

// warnOfMirrors reports the images that are pulled from their own registries
// though they have a mirror.
func (j *job) warnOfMirrors(lost []solve.Unmirrored) {
	var names []string
	for _, u := range lost {
		names = append(names, u.Image)
	}
	j.warn(Unmirrored, "%s not pulled from the mirror, but from the registry of its name: %s; looking for %s: %w",
		phrase.Count(len(lost), "image"), strings.Join(names, ", "), lost[0].Copy, lost[0].Err)
}
