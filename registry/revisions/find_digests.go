package revisions

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/registry"
)

// FindDigests finds the images of a revision of which only the digests are
// known, one for each repository of interest, and reads the tags as Find does.
// The digests may be those of an index's manifests: the images found are the
// indexes. The name is that of the revision whose images these are, the last in
// order of name where there are several, and empty where there is none; tags
// for which skip is true name none. It writes nothing.
//
// Errors: *GoneError for images that are there no more, *ArchivedError,
// *UntrustedError; an archived image next to those asked for does not matter.
//
// Calls for each repository: one BatchGetImage and one DescribeImages, at the
// same time. Where a digest bears no revision's tag, the repositories are
// listed (one DescribeImages for each thousand images and one BatchGetImage for
// each hundred indexes), and looked at once more.
func FindDigests(ctx context.Context, clients registry.Clients, repos []registry.Repository, digests map[registry.Ref]string, extra map[registry.Ref][]string, skip func(registry.Ref, string) bool) (Found, error) {
	s := digestLookup{clients: clients, extra: extra}
	for _, repo := range registry.DistinctRepositories(repos) {
		s.repos = append(s.repos, repo)
		if digests[repo.Ref] != "" {
			s.asked = append(s.asked, RevisionImage{Repository: repo, Digest: digests[repo.Ref], skip: skip})
		}
	}
	var (
		snapshot *Snapshot
		states   []imageState
	)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		snapshot, err = s.readSnapshot(gctx, digests)
		return err
	})
	g.Go(func() (err error) {
		states, err = Publication{Images: s.asked}.describe(gctx, clients, func(i RevisionImage) types.ImageIdentifier {
			return types.ImageIdentifier{ImageDigest: aws.String(i.Digest)}
		})
		return err
	})
	if err := g.Wait(); err != nil {
		return Found{}, err
	}
	if err := checkTrusted(s.asked, states); err != nil {
		return Found{}, err
	}
	name := common(states)
	if name == "" && slices.ContainsFunc(states, func(i imageState) bool { return len(i.tags) == 0 }) {
		return s.indexes(ctx)
	}
	return Found{Name: name, Images: s.asked, Snapshot: snapshot}, nil
}

// digestLookup is a search for digests.
type digestLookup struct {
	clients registry.Clients
	repos   []registry.Repository
	asked   []RevisionImage
	extra   map[registry.Ref][]string
}

// readSnapshot surveys, and ensures that the images of the digests are there.
func (s digestLookup) readSnapshot(ctx context.Context, digests map[registry.Ref]string) (*Snapshot, error) {
	wanted := map[registry.Ref][]string{}
	for _, repo := range s.repos {
		wanted[repo.Ref] = append(slices.Clone(s.extra[repo.Ref]), digests[repo.Ref])
	}
	snapshot, unread, err := readAll(ctx, s.clients, s.repos, nil, wanted)
	if err != nil {
		return nil, err
	}
	archived, gone := &ArchivedError{}, &GoneError{}
	for _, u := range unread {
		if u.Image == digests[u.Repository.Ref] {
			archived.Images = append(archived.Images, ArchivedImage{u.Repository, u.Image})
		}
	}
	if len(archived.Images) > 0 {
		return nil, archived
	}
	for _, i := range s.asked {
		if d := digests[i.Repository.Ref]; !snapshot.contains(i.Repository.Ref, d) {
			gone.Images = append(gone.Images, GoneImage{i.Repository, d})
		}
	}
	if len(gone.Images) > 0 {
		return nil, gone
	}
	return snapshot, nil
}

func (s *Snapshot) contains(ref registry.Ref, digest string) bool {
	_, ok := s.ByDigest(ref, digest)
	return ok
}

// indexes finds the indexes that digests without a tag belong to, and surveys
// again with them.
func (s digestLookup) indexes(ctx context.Context) (Found, error) {
	listing, err := List(ctx, s.clients, s.repos)
	if err != nil {
		return Found{}, err
	}
	asked, reported := map[registry.Ref]string{}, map[registry.Ref][]string{}
	for _, i := range s.asked {
		asked[i.Repository.Ref], reported[i.Repository.Ref] = i.Digest, []string{i.Digest}
	}
	if err := listing.ReadIndexes(ctx, s.clients, reported); err != nil {
		return Found{}, err
	}
	var out Found
	names := slices.DeleteFunc(listing.Common(asked), func(name string) bool {
		return IsUntrusted(name) || slices.ContainsFunc(s.asked, func(i RevisionImage) bool { return i.extra(name) })
	})
	if len(names) > 0 {
		out.Name = names[len(names)-1]
	}
	digests := map[registry.Ref]string{}
	for _, i := range s.asked {
		ref := i.Repository.Ref
		image, ok := listing.Tagged(ref, out.Name)
		if !ok {
			image, ok = listing.Image(ref, i.Digest)
		}
		if ok {
			i.Digest = image.Digest
		}
		if onlyUntrusted(image.Tags) {
			return Found{}, &UntrustedError{i.Repository, i.Digest}
		}
		digests[ref] = i.Digest
		out.Images = append(out.Images, i)
	}
	out.Snapshot, err = s.readSnapshot(ctx, digests)
	return out, err
}
