package revisions

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/manifests"
)

// Image is an image of a repository, with the very bytes of its manifest.
type Image = manifests.Image

// Variant gives the n-th name of a revision, from 1: the hash itself, then what
// it is called when the same hash was built again with another result.
type Variant func(n int) string

// maxVariants is how many variants of a hash one snapshot reads. With the other
// tags and digests it stays below the 100 ids that one BatchGetImage takes.
const maxVariants = 40

// Snapshot is the images that the tags of several repositories point to.
type Snapshot struct {
	names []string
	repos []registry.Repository
	tags  map[registry.Ref]map[string]Image
	known map[registry.Ref]map[string]Image // by digest
	read  map[registry.Ref]time.Time        // by ECR's clock
	// asked are the further tags and digests that were asked for.
	asked map[registry.Ref][]string
	// archived are the digests of images that are there and cannot be read, by
	// the tag or digest that was asked for.
	archived map[registry.Ref]map[string]string
	// records are those of revisions, by digest; known has none of them.
	records map[registry.Ref]map[string]Image
	// flat are the records to put where a registry refuses those of a digest.
	flat map[string]Image
	// restored are the revisions whose index only their record has.
	restored map[registry.Ref][]string
}

// ReadTags reads, with one call for each repository and all at once, where the
// variants of a revision, latest and deployed point, the extra tags named, the
// digests named, and the records of these revisions.
//
// An image that exists and cannot be read is an *UnreadableError, unless it is
// archived and asked for by digest or as one of the tags that move: ByTag and
// ByDigest do not return such an image, and a tag that is moved off it cannot
// be reverted. One DescribeImages more for each such tag returns the digest.
func ReadTags(ctx context.Context, clients registry.Clients, repos []registry.Repository, variant Variant, extra map[registry.Ref][]string) (*Snapshot, error) {
	return readSnapshot(ctx, clients, repos, variant, extra, func(registry.Ref, string) bool { return false })
}

// readSnapshot is ReadTags where further tags move.
func readSnapshot(ctx context.Context, clients registry.Clients, repos []registry.Repository, variant Variant, extra map[registry.Ref][]string, moves func(registry.Ref, string) bool) (*Snapshot, error) {
	var names []string
	if variant != nil {
		for n := 1; n <= maxVariants; n++ {
			names = append(names, variant(n))
		}
	}
	s, archived, err := readAll(ctx, clients, repos, names, extra)
	if err != nil {
		return nil, err
	}
	for _, u := range archived {
		if !manifests.IsDigest(u.Image) && registry.IsRevisionName(u.Image) && !moves(u.Repository.Ref, u.Image) {
			return nil, u
		}
	}
	return s, nil
}

// readAll is ReadTags that continues where images are archived, and returns
// which ones.
func readAll(ctx context.Context, clients registry.Clients, repos []registry.Repository, names []string, extra map[registry.Ref][]string) (*Snapshot, []*UnreadableError, error) {
	s := newSnapshot(names, repos)
	s.asked = extra
	answers, archived := make([]manifests.Answer, len(repos)), make([]map[string]string, len(repos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(registry.MaxCalls)
	for i, repo := range repos {
		ids := manifests.IDs(append(slices.Concat(names, []string{registry.TagLatest, registry.TagPrevious, registry.TagDeployed}, recordTags(names)), extra[repo.Ref]...))
		g.Go(func() (err error) {
			client := clients(repo.Region)
			if answers[i], err = manifests.Get(ctx, client, repo, ids); err != nil {
				return err
			}
			archived[i], err = answers[i].Locate(ctx, client)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	var unreadable []*UnreadableError
	for i, repo := range repos {
		s.add(repo.Ref, answers[i].Images)
		s.read[repo.Ref] = answers[i].At
		s.archived[repo.Ref] = archived[i]
		unreadable = append(unreadable, answers[i].Unreadable...)
		s.restore(repo.Ref, names)
	}
	return s, unreadable, nil
}

func newSnapshot(names []string, repos []registry.Repository) *Snapshot {
	return &Snapshot{
		names: names, repos: repos,
		tags: map[registry.Ref]map[string]Image{}, known: map[registry.Ref]map[string]Image{}, read: map[registry.Ref]time.Time{},
		archived: map[registry.Ref]map[string]string{}, records: map[registry.Ref]map[string]Image{},
		flat: map[string]Image{}, restored: map[registry.Ref][]string{},
	}
}

func (s *Snapshot) add(ref registry.Ref, images []types.Image) {
	if s.tags[ref] == nil {
		s.tags[ref], s.known[ref], s.records[ref] = map[string]Image{}, map[string]Image{}, map[string]Image{}
	}
	tags := s.tags[ref]
	for _, i := range images {
		image := manifests.New(i)
		if image.IsRecord() {
			s.records[ref][image.Digest] = image
		} else {
			s.known[ref][image.Digest] = image
		}
		if tag := aws.ToString(i.ImageId.ImageTag); tag != "" {
			tags[tag] = image
		}
	}
}

// ByTag returns the image that a tag points to; false when the repository lacks
// the tag.
func (s *Snapshot) ByTag(ref registry.Ref, tag string) (Image, bool) {
	i, ok := s.tags[ref][tag]
	return i, ok
}

// Lacks reports whether a variant of the revision did not name an image of the
// repository.
func (s *Snapshot) Lacks(ref registry.Ref, variant string) bool {
	_, there := s.ByTag(ref, variant)
	return !there && slices.Contains(s.names, variant)
}

// At returns the time, by ECR's clock, when a repository was read; this host's
// where ECR did not say.
func (s *Snapshot) At(ref registry.Ref) time.Time {
	if at := s.read[ref]; !at.IsZero() {
		return at
	}
	return time.Now()
}

// ByDigest returns an image that was read, or a record, by digest.
func (s *Snapshot) ByDigest(ref registry.Ref, digest string) (Image, bool) {
	i, ok := s.known[ref][digest]
	if !ok {
		i, ok = s.records[ref][digest]
	}
	return i, ok
}

// ByConfig lists the images of a repository that have a manifest annotation, by
// the digest of their configuration: what says which image it is, however its
// layers are compressed. Of several with one configuration, latest's goes
// before the others. A trusted build's snapshot lists none that it knows only
// by names of untrusted builds.
func (s *Snapshot) ByConfig(ref registry.Ref, annotation, value string) map[string]string {
	latest, _ := s.ByTag(ref, registry.TagLatest)
	out := map[string]string{}
	for _, digest := range slices.Sorted(maps.Keys(s.known[ref])) {
		image := s.known[ref][digest]
		config := image.Content().Config.Digest
		if config == "" || image.Annotation(annotation) != value || s.foreign(ref, digest) {
			continue
		}
		if _, taken := out[config]; !taken || digest == latest.Digest {
			out[config] = digest
		}
	}
	return out
}

// TaggedParent returns the image that a tag must point to so that a digest
// stays, false where none is known: the image of that digest, or an index that
// refers to it, since a task may report either. Where several do, it is the one
// that latest points to, then deployed.
func (s *Snapshot) TaggedParent(ref registry.Ref, digest string) (Image, bool) {
	for _, tag := range []string{registry.TagLatest, registry.TagPrevious, registry.TagDeployed} {
		if i, ok := s.ByTag(ref, tag); ok && slices.Contains(Platforms(i), digest) {
			return i, true
		}
	}
	for _, d := range slices.Sorted(maps.Keys(s.known[ref])) {
		if i := s.known[ref][d]; slices.Contains(i.Children(), digest) {
			return i, true
		}
	}
	return s.ByDigest(ref, digest)
}

// equivalent reports whether a digest that ECS reports is that of an image, or
// of a manifest of it.
func (s *Snapshot) equivalent(ref registry.Ref, image, reported string) bool {
	i, ok := s.ByDigest(ref, image)
	return image == reported || ok && slices.Contains(Platforms(i), reported)
}

// Complete lists the variants that every repository has, the latest one first.
func (s *Snapshot) Complete() []string {
	var out []string
	for _, name := range slices.Backward(s.names) {
		if !slices.ContainsFunc(s.repos, func(r registry.Repository) bool { _, ok := s.ByTag(r.Ref, name); return !ok }) {
			out = append(out, name)
		}
	}
	return out
}
