package rollout

import (
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// Target is the images that a rollout deploys, and their tags. FindRevision,
// FindPrevious, FindDefinitions and Published return one.
type Target struct {
	// Name is the name of the revision, empty if the images have no common one.
	Name string
	// Desired are the images by service and container.
	Desired map[ecs.Ref]map[string]ecs.DesiredImage
	// snapshot and images are the revision in the registry, for the tags to move; no
	// images if the tags are not to move.
	snapshot *revisions.Snapshot
	images   []revisions.RevisionImage
	// published are the tags that a build has moved to the images; nil for none.
	published *revisions.Published
}

// Published returns the images of a build that has moved the tags. The rollout
// reverts them if it fails.
func Published(p revisions.Published, desired map[ecs.Ref]map[string]ecs.DesiredImage) *Target {
	return &Target{Name: p.Name, Desired: desired, published: &p}
}

// Revision returns the name of the revision, or a word for one without a name.
func (t *Target) Revision() string {
	if t.Name == "" {
		return "the revision"
	}
	return t.Name
}
