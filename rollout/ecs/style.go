package ecs

import "github.com/distribution/reference"

// Style is how a reference names an image.
type Style string

// The styles, as --image-ref calls them.
const (
	StyleHash   Style = "hash"   // repository:tag
	StyleDigest Style = "digest" // repository@sha256:…, with or without a tag
	StyleLatest Style = "latest" // repository:latest, or no tag
)

// StyleOf returns the style of a task definition's reference; empty for one
// that cannot be read.
func StyleOf(image string) Style {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	switch tag, digest := tagAndDigest(named); {
	case digest != "":
		return StyleDigest
	case tag == "" || tag == "latest":
		return StyleLatest
	default:
		return StyleHash
	}
}
