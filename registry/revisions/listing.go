package revisions

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/manifests"
)

// ImageDetail is an image as a listing of its repository shows it.
type ImageDetail struct {
	// Digest is the manifest's, sha256:….
	Digest string
	// Tags are all its tags, none for an untagged image.
	Tags []string
	// Pushed is when it was first pushed, from which its age counts.
	Pushed time.Time
	// Archived reports that it cannot be pulled: it is in the archive, or on
	// its way back.
	Archived bool
	// ArchivedAt is when it last went to the archive, zero if never.
	ArchivedAt time.Time
	// Size is its size in the repository, in bytes.
	Size int64
	// MediaType is the manifest's.
	MediaType string
	// records are those of the revisions that the image belongs to.
	records []lifecycle.Image
}

// index reports whether the image is one of several platforms.
func (i ImageDetail) index() bool {
	return strings.HasSuffix(i.MediaType, ".image.index.v1+json") || strings.HasSuffix(i.MediaType, ".manifest.list.v2+json")
}

// aging returns the image as lifecycle rules look at it.
func (i ImageDetail) aging() lifecycle.Image {
	return lifecycle.Image{Tags: i.Tags, Pushed: i.Pushed, Archived: i.Archived, ArchivedAt: i.ArchivedAt, Indexes: i.records}
}

// Expiry returns when a lifecycle policy deletes or archives the image, as
// lifecycle.Policy.Expiry does. The records of its revisions keep it.
func (i ImageDetail) Expiry(policy lifecycle.Policy) (time.Time, lifecycle.Disposition) {
	return policy.Expiry(i.aging())
}

// Listing is every image of some repositories.
type Listing struct {
	// At is when it was read, by ECR's clock.
	At time.Time

	repos  []registry.Repository
	images map[registry.Ref]map[string]ImageDetail // by digest
	tags   map[registry.Ref]map[string]string      // digests by tag
	covers map[registry.Ref]map[string][]string    // indexes by the manifests that they refer to
}

// List reads all images of the repositories, archived and untagged ones
// included: one DescribeImages for each thousand images of a repository, all
// repositories at once.
func List(ctx context.Context, clients registry.Clients, repos []registry.Repository) (*Listing, error) {
	l := &Listing{
		repos: registry.DistinctRepositories(repos), images: map[registry.Ref]map[string]ImageDetail{},
		tags: map[registry.Ref]map[string]string{}, covers: map[registry.Ref]map[string][]string{},
	}
	found := make([][]types.ImageDetail, len(l.repos))
	at := make([]time.Time, len(l.repos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(registry.MaxCalls)
	for i, repo := range l.repos {
		g.Go(func() (err error) {
			found[i], at[i], err = manifests.List(ctx, clients(repo.Region), repo)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, repo := range l.repos {
		l.add(repo.Ref, found[i])
		if at[i].After(l.At) {
			l.At = at[i]
		}
	}
	return l, nil
}

func (l *Listing) add(ref registry.Ref, images []types.ImageDetail) {
	l.images[ref], l.tags[ref], l.covers[ref] = map[string]ImageDetail{}, map[string]string{}, map[string][]string{}
	for _, d := range images {
		image := newImageDetail(d)
		l.images[ref][image.Digest] = image
		for _, tag := range image.Tags {
			l.tags[ref][tag] = image.Digest
		}
	}
	for digest, image := range l.images[ref] {
		for _, tag := range image.Tags {
			if r, ok := l.Record(ref, tag); ok && registry.IsRevisionName(tag) {
				image.records = append(image.records, r.aging())
			}
		}
		l.images[ref][digest] = image
	}
}

// Record returns the record of a revision as an image, false where the
// repository has none.
func (l *Listing) Record(ref registry.Ref, name string) (ImageDetail, bool) {
	return l.Tagged(ref, registry.RecordTag(name))
}

func newImageDetail(d types.ImageDetail) ImageDetail {
	return ImageDetail{
		Digest:     aws.ToString(d.ImageDigest),
		Tags:       d.ImageTags,
		Pushed:     aws.ToTime(d.ImagePushedAt),
		Archived:   d.ImageStatus == types.ImageStatusArchived || d.ImageStatus == types.ImageStatusActivating,
		ArchivedAt: aws.ToTime(d.LastArchivedAt),
		Size:       aws.ToInt64(d.ImageSizeInBytes),
		MediaType:  aws.ToString(d.ImageManifestMediaType),
	}
}

// Tagged returns the image that a tag points to, false where the repository
// lacks the tag.
func (l *Listing) Tagged(ref registry.Ref, tag string) (ImageDetail, bool) {
	i, ok := l.images[ref][l.tags[ref][tag]]
	return i, ok
}

// Image returns the image of a digest, false where there is none: after
// ReadIndexes, for a manifest of an index, the index, since it is the index
// that expires. Where several refer to it, it is the one that latest points to,
// then deployed, then the newest.
func (l *Listing) Image(ref registry.Ref, digest string) (ImageDetail, bool) {
	indexes := l.covers[ref][digest]
	for _, tag := range []string{registry.TagLatest, registry.TagPrevious, registry.TagDeployed} {
		if at := l.tags[ref][tag]; at != "" && slices.Contains(indexes, at) {
			return l.images[ref][at], true
		}
	}
	if len(indexes) > 0 {
		return l.images[ref][slices.MaxFunc(indexes, func(a, b string) int {
			return l.images[ref][a].Pushed.Compare(l.images[ref][b].Pushed)
		})], true
	}
	i, ok := l.images[ref][digest]
	return i, ok
}

// NamesOf lists the revisions that an image belongs to, in order of name: its
// tags that name revisions. After ReadIndexes, the digest may be that of
// a manifest of an index.
func (l *Listing) NamesOf(ref registry.Ref, digest string) []string {
	var out []string
	for _, d := range append([]string{digest}, l.covers[ref][digest]...) {
		for _, tag := range l.images[ref][d].Tags {
			if registry.IsRevisionName(tag) {
				out = append(out, tag)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Common lists the revisions whose images are exactly these, one digest for
// each repository of interest, in order of name.
func (l *Listing) Common(digests map[registry.Ref]string) []string {
	var out []string
	first := true
	for ref, digest := range digests {
		names := l.NamesOf(ref, digest)
		if first {
			out, first = names, false
			continue
		}
		out = slices.DeleteFunc(out, func(name string) bool { return !slices.Contains(names, name) })
	}
	return out
}

// ReadIndexes makes the listing know which manifests the indexes of a
// repository refer to, where one of the digests, as ECS reports them, has no
// tag and may be such a manifest: one BatchGetImage for each hundred indexes of
// such a repository, and none where every digest has a tag.
func (l *Listing) ReadIndexes(ctx context.Context, clients registry.Clients, digests map[registry.Ref][]string) error {
	answers := make([][]types.Image, len(l.repos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(registry.MaxCalls)
	for i, repo := range l.repos {
		if !l.unnamed(repo.Ref, digests[repo.Ref]) {
			continue
		}
		g.Go(func() (err error) {
			answers[i], err = manifests.Read(ctx, clients(repo.Region), repo, manifests.IDs(l.indexes(repo.Ref)))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, repo := range l.repos {
		for _, a := range answers[i] {
			image := manifests.New(a)
			if image.IsRecord() {
				continue // its child is the image itself
			}
			for _, child := range image.Children() {
				l.covers[repo.Ref][child] = append(l.covers[repo.Ref][child], image.Digest)
			}
		}
	}
	return nil
}

// unnamed reports whether one of the digests is there and has no tag.
func (l *Listing) unnamed(ref registry.Ref, digests []string) bool {
	return slices.ContainsFunc(digests, func(d string) bool {
		i, ok := l.images[ref][d]
		return ok && len(i.Tags) == 0
	})
}

// indexes are the digests of the indexes that can be read.
func (l *Listing) indexes(ref registry.Ref) []string {
	var out []string
	for digest, image := range l.images[ref] {
		if image.index() && !image.Archived {
			out = append(out, digest)
		}
	}
	slices.Sort(out)
	return out
}
