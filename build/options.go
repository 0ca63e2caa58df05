package build

import (
	"slipway/build/engine"
	"slipway/retention"
)

// Options say what a build does beyond its plan. They are complete and
// validated before a build begins, and neither they nor the plan change then.
type Options struct {
	// Rebuild builds although a complete revision from the same inputs exists.
	Rebuild bool
	// NoLatest moves no tag but the revision's own, and writes no definitions.
	NoLatest bool
	// Force moves latest although another job made a revision of a later commit
	// meanwhile.
	Force bool
	// Create creates missing repositories.
	Create bool
	// ImageRef is the form of the images in definitions: hash, digest or
	// latest.
	ImageRef string
	// Artifact is the s3:// URL of the definitions; empty for none.
	Artifact string
	// Cache is the mode of the layer cache.
	Cache string
	// CacheGiven reports that the command line or the environment names the cache.
	CacheGiven bool
	// Engine says where the engine may be.
	Engine engine.Options
	// Jobs is the number of components built at a time; 0 for all.
	Jobs int
	// FailFast stops the other builds when one fails.
	FailFast bool
	// PushAttempts is how often a push is tried.
	PushAttempts int
	// Retention says which lifecycle policies are written.
	Retention retention.Options
}
