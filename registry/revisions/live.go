package revisions

import (
	"context"
	"maps"
	"slices"

	"slipway/registry"
)

// Live is the digests that ECS services run, by repository and by the tag that
// protects the image of the service (registry.LiveTag).
type Live map[registry.Ref]map[string]string

// Set notes the digest that a service runs in a repository.
func (l Live) Set(ref registry.Ref, tag, digest string) {
	if l[ref] == nil {
		l[ref] = map[string]string{}
	}
	l[ref][tag] = digest
}

// Names returns the tags of the services and the digests in a repository, for
// ReadTags and Find.
func (l Live) Names(ref registry.Ref) []string {
	var out []string
	for _, tag := range slices.Sorted(maps.Keys(l[ref])) {
		out = append(out, tag, registry.PreviousOf(tag), l[ref][tag])
	}
	return out
}

// read reports whether a snapshot has the tags of a repository's services, and
// their images.
func (l Live) read(s *Snapshot, ref registry.Ref) bool {
	for tag, digest := range l[ref] {
		_, known := s.TaggedParent(ref, digest)
		if !known || !slices.Contains(s.asked[ref], tag) || !slices.Contains(s.asked[ref], registry.PreviousOf(tag)) {
			return false
		}
	}
	return true
}

// changes returns the moves of the tags of a repository's services: the
// previous tag to the image that the live tag leaves, then the live tag to the
// running image. Killed in between, the same moves complete both. An image that
// was not read, or is archived, moves none.
func (l Live) changes(s *Snapshot, repo registry.Repository) (previous, live []Change) {
	for _, tag := range slices.Sorted(maps.Keys(l[repo.Ref])) {
		image, ok := s.TaggedParent(repo.Ref, l[repo.Ref][tag])
		if !ok {
			continue
		}
		if at, there := s.ByTag(repo.Ref, tag); there && at.Digest != image.Digest {
			previous = s.step(previous, repo, registry.PreviousOf(tag), at.Digest)
		}
		live = s.step(live, repo, tag, image.Digest)
	}
	return previous, live
}

// steps lists the moves of the tags of ECS services.
func (l Live) steps(s *Snapshot, repos []registry.Repository) [][]Change {
	out := make([][]Change, 2)
	for _, repo := range registry.DistinctRepositories(repos) {
		previous, live := l.changes(s, repo)
		out[0], out[1] = append(out[0], previous...), append(out[1], live...)
	}
	return out
}

// Protect moves the tags of ECS services to the images that they run, and lets
// the previous ones take the images that these tags leave. The snapshot has been
// read with Live.Names; before are the tags that a Publish or Promote has moved
// since. A tag that another job has moved meanwhile is overwritten: both write
// the image that ECS runs. It returns the tags that moved. An error leaves each
// tag on an image that the service runs or ran, and the same call completes it.
//
// Calls for each repository: one PutImage for each tag that moves.
func Protect(ctx context.Context, clients registry.Clients, s *Snapshot, live Live, before []Change) ([]Change, error) {
	s = s.after(before)
	var out Published
	err := applyAll(ctx, clients, s, live.steps(s, s.repos), &out)
	return out.Changes, err
}

// after returns the snapshot with the tags where changes have put them.
func (s *Snapshot) after(changes []Change) *Snapshot {
	out := *s
	out.tags = maps.Clone(s.tags)
	for _, c := range changes {
		ref := c.Repository.Ref
		if image, ok := s.ByDigest(ref, c.To); ok {
			out.tags[ref] = maps.Clone(out.tags[ref])
			out.tags[ref][c.Tag] = image
		}
	}
	return &out
}
