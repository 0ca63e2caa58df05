package revisions

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/manifests"
	"slipway/registry/referrers"
)

// Origin says how to know the images that Slipway has made.
type Origin struct {
	// Annotation is the manifest annotation that all of them have.
	Annotation string
	// Protected are the repositories whose running image is known to have a
	// protecting tag. Elsewhere one of Slipway's tagged images may be running
	// without.
	Protected map[registry.Ref]bool
}

// Losses lists, for each result that would change a policy which is not
// Slipway's yet, the images that the new policy takes, newest push first: those
// that the policy found lets stay, or stay longer. Images with a protecting tag
// are not among them, nor layer caches, records and recorded inputs, nor images that
// Slipway has made, unless they have a tag and are due by now or may be running.
// The listing must hold the repositories, with the tags as they are when the
// policy is written.
//
// It takes one BatchGetImage for each hundred images in question, of maxJudged
// at most: the others count as lost.
func (l *Listing) Losses(ctx context.Context, clients registry.Clients, results []registry.RetentionResult, origin Origin) (map[registry.Ref][]ImageDetail, error) {
	lost := make([][]ImageDetail, len(results))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(registry.MaxCalls)
	for i, r := range results {
		if r.Managed || !r.Outcome.Changed {
			continue
		}
		g.Go(func() (err error) {
			lost[i], err = l.losses(ctx, clients(r.Repository.Region), r, origin)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := map[registry.Ref][]ImageDetail{}
	for i, r := range results {
		if len(lost[i]) > 0 {
			out[r.Repository.Ref] = lost[i]
		}
	}
	return out, nil
}

// maxJudged is how many images of a repository are read to see who made them.
const maxJudged = 500

func (l *Listing) losses(ctx context.Context, client manifests.Reader, r registry.RetentionResult, origin Origin) ([]ImageDetail, error) {
	before, after := lifecycle.Parse(r.Before), lifecycle.Parse(r.Outcome.Text)
	var taken []ImageDetail
	for _, image := range l.images[r.Repository.Ref] {
		if !slices.ContainsFunc(image.Tags, registry.IsProtected) && lifecycle.Shortens(before, after, image.aging()) {
			taken = append(taken, image)
		}
	}
	slices.SortFunc(taken, func(a, b ImageDetail) int {
		if c := b.Pushed.Compare(a.Pushed); c != 0 {
			return c
		}
		return strings.Compare(a.Digest, b.Digest)
	})
	if len(taken) == 0 {
		return nil, nil
	}
	return l.foreign(ctx, client, r.Repository, after, taken, origin)
}

// foreign leaves of the images taken those that are to be asked about.
func (l *Listing) foreign(ctx context.Context, client manifests.Reader, repo registry.Repository, policy lifecycle.Policy, taken []ImageDetail, origin Origin) ([]ImageDetail, error) {
	ids := l.indexes(repo.Ref)
	for _, image := range taken[:min(len(taken), maxJudged)] {
		if !image.Archived {
			ids = append(ids, image.Digest)
		}
	}
	read, err := manifests.Get(ctx, client, repo, manifests.IDs(ids))
	if err != nil {
		return nil, err
	}
	known, children := map[string]Image{}, map[string]bool{}
	for _, i := range read.Images {
		image := manifests.New(i)
		known[image.Digest] = image
		if image.IsRecord() {
			continue // it refers to images that have names of their own
		}
		for _, child := range image.Children() {
			children[child] = true
		}
	}
	return slices.DeleteFunc(taken, func(image ImageDetail) bool {
		manifest, ok := known[image.Digest]
		switch {
		case children[image.Digest]:
			return true // it goes with its index, which is judged itself
		case !ok:
			return false
		case manifest.IsCache(), manifest.IsRecord(), manifest.Content().ArtifactType == referrers.ArtifactType:
			return true
		case manifest.Annotation(origin.Annotation) == "":
			return false
		case len(image.Tags) == 0:
			return true // left by a build that failed
		}
		due, _ := image.Expiry(policy)
		return origin.Protected[repo.Ref] && due.After(l.now())
	}), nil
}

// now is when the listing was read, by ECR's clock where it is known.
func (l *Listing) now() time.Time {
	if l.At.IsZero() {
		return time.Now()
	}
	return l.At
}

// Point lets a tag of the listing point to another image, or with an empty
// digest to none that is listed: what a job is about to do.
func (l *Listing) Point(ref registry.Ref, tag, digest string) {
	images := l.images[ref]
	if old, ok := images[l.tags[ref][tag]]; ok {
		old.Tags = slices.DeleteFunc(slices.Clone(old.Tags), func(t string) bool { return t == tag })
		images[old.Digest] = old
	}
	delete(l.tags[ref], tag)
	if image, ok := images[digest]; ok {
		image.Tags = append(slices.Clone(image.Tags), tag)
		images[digest], l.tags[ref][tag] = image, digest
	}
}
