package ecs

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// restyle returns the desired image in the style of the present reference: a
// tag that is latest or missing stays, since moving the tag is enough; a tag
// becomes DesiredImage.Image; a digest becomes the desired digest, with the
// desired tag where there was a tag too. It is false when the two are not
// images of the same repository, or one cannot be read.
func restyle(present string, w DesiredImage) (string, bool) {
	now, errNow := reference.ParseNormalizedNamed(present)
	to, errTo := reference.ParseNormalizedNamed(w.Image)
	if errNow != nil || errTo != nil || now.Name() != to.Name() {
		return "", false
	}
	tag, pinned := tagAndDigest(now)
	switch {
	case pinned == "" && (tag == "" || tag == "latest"):
		return present, true
	case pinned == "":
		return w.Image, true
	}
	return pin(w, to, tag != ""), true
}

// pin returns the desired image with its digest, or unchanged where that is not
// known.
func pin(w DesiredImage, to reference.Named, withTag bool) string {
	tag, digest := tagAndDigest(to)
	if len(w.Digests) > 0 {
		digest = w.Digests[0]
	}
	if digest == "" {
		return w.Image
	}
	// The part before the tag is kept as it was written: a normalized name
	// would gain docker.io.
	repository, _, _ := strings.Cut(w.Image, "@")
	if tag != "" {
		repository = strings.TrimSuffix(repository, ":"+tag)
	}
	if withTag && tag != "" {
		repository += ":" + tag
	}
	return repository + "@" + digest
}

func tagAndDigest(ref reference.Reference) (tag, digest string) {
	if t, ok := ref.(reference.Tagged); ok {
		tag = t.Tag()
	}
	if d, ok := ref.(reference.Digested); ok {
		digest = d.Digest().String()
	}
	return tag, digest
}

func sameRepository(a, b string) bool {
	x, errX := reference.ParseNormalizedNamed(a)
	y, errY := reference.ParseNormalizedNamed(b)
	return errX == nil && errY == nil && x.Name() == y.Name()
}

// withDigest returns a reference for display, with its digest unless the
// reference has it.
func withDigest(image, digest string) string {
	const digits = len("sha256:") + 12
	image = cmp.Or(image, "?")
	if digest == "" || strings.Contains(image, digest) {
		return image
	}
	return image + " (" + digest[:min(len(digest), digits)] + ")"
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
