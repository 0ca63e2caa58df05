package revisions

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/manifests"
)

// NewBytes counts the bytes that pushing a revision's image took: none where
// the image was pushed before the snapshot was made; else its layers and
// configurations, less those that an image of the snapshot has in the same
// repository. It is nil where a manifest was not read, as the parts of an index
// are not before ReadParts.
//
// Layers that only images outside the snapshot have count as new, though the
// engine found them there and did not push them: the figure is an upper bound.
func (s *Snapshot) NewBytes(p Published, i RevisionImage) *int64 {
	ref := i.Repository.Ref
	if at, ok := p.Pushed[ref]; ok && at.Before(s.read[ref]) {
		return new(int64)
	}
	if _, ok := s.ByDigest(ref, i.Digest); ok {
		return new(int64) // a tag pointed to it
	}
	parts, ok := manifests.Parts(i.Digest, p.Snapshot.in(ref))
	if !ok {
		return nil
	}
	for digest := range s.known[ref] {
		had, _ := manifests.Parts(digest, s.in(ref))
		maps.DeleteFunc(parts, func(part string, _ int64) bool { _, ok := had[part]; return ok })
	}
	total := new(int64)
	for _, size := range parts {
		*total += size
	}
	return total
}

// ReadParts reads the manifests that the indexes of the snapshot refer to, with
// one call for each repository that has an index.
func (s *Snapshot) ReadParts(ctx context.Context, clients registry.Clients) error {
	answers := make([][]types.Image, len(s.repos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(registry.MaxCalls)
	for i, repo := range s.repos {
		var children []string
		for _, image := range s.known[repo.Ref] {
			children = append(children, image.Children()...)
		}
		if len(children) == 0 {
			continue
		}
		slices.Sort(children)
		g.Go(func() (err error) {
			answers[i], err = manifests.Read(ctx, clients(repo.Region), repo, manifests.IDs(children))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, repo := range s.repos {
		s.add(repo.Ref, answers[i])
	}
	return nil
}

// Platforms lists the digests that count as an image, since a task of ECS may
// report any of them: its own first, then those of the images of an index.
func Platforms(i Image) []string { return i.Digests() }

// in returns the function that finds images of a repository by digest.
func (s *Snapshot) in(ref registry.Ref) func(string) (Image, bool) {
	return func(digest string) (Image, bool) { return s.ByDigest(ref, digest) }
}
