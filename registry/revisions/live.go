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

// changes returns the moves of the tags of a repository's services: the live
// tag to the running image, the previous one to the image that the live tag
// leaves. An image that was not read, or is archived, moves none.
func (l Live) changes(s *Snapshot, repo registry.Repository) []Change {
	var out []Change
	for _, tag := range slices.Sorted(maps.Keys(l[repo.Ref])) {
		image, ok := s.TaggedParent(repo.Ref, l[repo.Ref][tag])
		if !ok {
			continue
		}
		if at, there := s.ByTag(repo.Ref, tag); there && at.Digest != image.Digest {
			out = s.step(out, repo, registry.PreviousOf(tag), at.Digest)
		}
		out = s.step(out, repo, tag, image.Digest)
	}
	return out
}

// liveStep lists the moves of the tags of ECS services.
func (p Publication) liveStep(s *Snapshot) []Change {
	var out []Change
	for _, i := range p.Images {
		out = append(out, p.Live.changes(s, i.Repository)...)
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
	var step []Change
	for _, repo := range registry.DistinctRepositories(s.repos) {
		step = append(step, live.changes(s, repo)...)
	}
	return step, apply(ctx, clients, s, step)
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
