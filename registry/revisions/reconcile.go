package revisions

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/manifests"
)

// reconcile ensures that latest points to one revision everywhere, although ECR
// cannot compare and swap: two jobs that move latest at the same time can leave
// it on one revision here and on the other there. Each job looks again after
// its last move; where it finds a mixture, it moves latest to the revision that
// both jobs pick by the same rule. Whoever writes last looks last, so that no
// mixture stays.
//
// It notes when our images were pushed, or the name of the other revision when
// latest ended on that.
func (p Publication) reconcile(ctx context.Context, clients registry.Clients, out *Published) (err error) {
	out.SupersededBy, err = p.awaitAgreement(ctx, clients, goal{name: out.Name, satisfied: func(now []imageState) bool {
		return p.settled(now, out)
	}})
	return err
}

// settled reports whether latest points to our images, and notes when these were pushed.
func (p Publication) settled(now []imageState, out *Published) bool {
	if !p.isOurs(now) {
		return false
	}
	out.Pushed = map[registry.Ref]time.Time{}
	for i, image := range now {
		out.Pushed[p.Images[i].Repository.Ref] = image.pushed
	}
	return true
}

// goal is the state of latest that a job wants.
type goal struct {
	// name is the job's own revision, empty where it has none to offer.
	name string
	// satisfied reports whether latest stands as the job wants it.
	satisfied func([]imageState) bool
	// allows reports whether latest may come to point to a revision; nil admits
	// all.
	allows func(*Snapshot, string) bool
}

// awaitAgreement looks until latest stands as it fits the job, or on one other
// revision, whose name it returns, and converges what is a mixture.
func (p Publication) awaitAgreement(ctx context.Context, clients registry.Clients, a goal) (string, error) {
	for range maxRounds {
		now, err := p.latest(ctx, clients)
		if err != nil {
			return "", err
		}
		if a.satisfied(now) {
			return "", nil
		}
		if other := common(now); other != "" {
			return other, nil
		}
		if err := p.converge(ctx, clients, a, now); err != nil {
			return "", err
		}
		select {
		case <-time.After(rand.N(roundPause)):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "", &ContentionError{}
}

// ContentionError reports that other jobs moved latest again in each round.
type ContentionError struct{}

// Error says so.
func (e *ContentionError) Error() string { return "other jobs keep moving " + registry.TagLatest }

// Hint says how to avoid it.
func (e *ContentionError) Hint() string { return "let one job at a time publish, then run again" }

// Rounds of settling and the longest pause between two. Two jobs need two
// rounds.
const (
	maxRounds  = 8
	roundPause = 200 * time.Millisecond
)

// imageState is an image as DescribeImages shows it.
type imageState struct {
	digest string
	names  []string // the tags that name revisions
	tags   []string // those that name trusted revisions
	count  int      // of all tags
	pushed time.Time
	// untrusted reports that every tag is one of an untrusted build.
	untrusted bool
}

// latest reads where latest stands in each repository, in the order of
// p.Images.
func (p Publication) latest(ctx context.Context, clients registry.Clients) ([]imageState, error) {
	return p.describe(ctx, clients, func(RevisionImage) types.ImageIdentifier {
		return types.ImageIdentifier{ImageTag: aws.String(registry.TagLatest)}
	})
}

func (p Publication) describe(ctx context.Context, clients registry.Clients, id func(RevisionImage) types.ImageIdentifier) ([]imageState, error) {
	out := make([]imageState, len(p.Images))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(registry.MaxCalls)
	for i, image := range p.Images {
		g.Go(func() (err error) {
			out[i], err = describeImage(ctx, clients(image.Repository.Region), image.Repository, id(image))
			// Extra tags name no revision: the next job may move them
			// elsewhere.
			out[i].tags = slices.DeleteFunc(out[i].tags, image.extra)
			return err
		})
	}
	return out, g.Wait()
}

// describeImage reads one image; one that is not there is the zero value.
func describeImage(ctx context.Context, client manifests.Lister, repo registry.Repository, id types.ImageIdentifier) (imageState, error) {
	d, err := manifests.Describe(ctx, client, repo, id)
	out := imageState{digest: aws.ToString(d.ImageDigest), pushed: aws.ToTime(d.ImagePushedAt), count: len(d.ImageTags)}
	for _, tag := range d.ImageTags {
		if registry.IsRevisionName(tag) {
			out.names = append(out.names, tag)
		}
	}
	out.tags = slices.DeleteFunc(slices.Clone(out.names), IsUntrusted)
	out.untrusted = onlyUntrusted(d.ImageTags)
	return out, err
}

func (p Publication) isOurs(now []imageState) bool {
	for i := range now {
		if now[i].digest != p.Images[i].Digest {
			return false
		}
	}
	return true
}

// common is a revision that latest points to everywhere, if there is one.
func common(now []imageState) string {
	if len(now) == 0 {
		return ""
	}
	var shared []string
	for _, tag := range now[0].tags {
		if !slices.ContainsFunc(now, func(t imageState) bool { return !slices.Contains(t.tags, tag) }) {
			shared = append(shared, tag)
		}
	}
	slices.Sort(shared)
	if len(shared) == 0 {
		return ""
	}
	return shared[len(shared)-1]
}

// converge moves latest to the winner among the revisions that it points to and
// ours: of those that are complete and no other's shadow, the one whose newest
// image was pushed last, and of equals the one whose name sorts last. Every job
// sees the same and picks the same.
func (p Publication) converge(ctx context.Context, clients registry.Clients, a goal, now []imageState) error {
	found, err := p.readTags(ctx, clients, append(tagsOf(now), a.name))
	if err != nil {
		return err
	}
	complete := found.Complete() // in descending order of name
	if a.allows != nil {
		complete = slices.DeleteFunc(complete, func(name string) bool { return !a.allows(found, name) })
	}
	winner, newest := a.name, time.Time{}
	for _, c := range slices.Backward(found.withoutSubsumed(complete)) {
		at, err := p.pushed(ctx, clients, found, c)
		if err != nil {
			return err
		}
		if !at.Before(newest) {
			winner, newest = c, at
		}
	}
	return p.moveLatest(ctx, clients, found, winner)
}

// readTags reads where revisions stand in the repositories of the images; one
// with an archived image is not complete.
func (p Publication) readTags(ctx context.Context, clients registry.Clients, names []string) (*Snapshot, error) {
	slices.Sort(names)
	names = slices.Compact(names)
	extra := map[registry.Ref][]string{}
	for _, i := range p.Images {
		extra[i.Repository.Ref] = names
	}
	found, _, err := readAll(ctx, clients, p.repositories(), nil, extra)
	if err == nil {
		found.names = names
	}
	return found, err
}

// tagsOf lists the tags of images.
func tagsOf(images []imageState) []string {
	var out []string
	for _, i := range images {
		out = append(out, i.tags...)
	}
	return out
}

// withoutSubsumed leaves out the revisions on which latest stands only where it
// points to another one as well, and in fewer repositories: an image that did
// not change for long has the names of many revisions, of which no job is after
// more than one.
func (s *Snapshot) withoutSubsumed(names []string) []string {
	on := map[string][]registry.Ref{}
	for _, name := range names {
		for _, repo := range s.repos {
			at, _ := s.ByTag(repo.Ref, name)
			if latest, ok := s.ByTag(repo.Ref, registry.TagLatest); ok && latest.Digest == at.Digest {
				on[name] = append(on[name], repo.Ref)
			}
		}
	}
	within := func(a, b []registry.Ref) bool {
		return len(a) < len(b) && !slices.ContainsFunc(a, func(r registry.Ref) bool { return !slices.Contains(b, r) })
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(names, func(other string) bool { return within(on[name], on[other]) })
	})
}

// pushed is the time at which the newest image of a revision was pushed.
func (p Publication) pushed(ctx context.Context, clients registry.Clients, s *Snapshot, name string) (time.Time, error) {
	images, err := p.describe(ctx, clients, func(i RevisionImage) types.ImageIdentifier {
		at, _ := s.ByTag(i.Repository.Ref, name)
		return types.ImageIdentifier{ImageDigest: aws.String(at.Digest)}
	})
	var newest time.Time
	for _, i := range images {
		if i.pushed.After(newest) {
			newest = i.pushed
		}
	}
	return newest, err
}

func (p Publication) moveLatest(ctx context.Context, clients registry.Clients, s *Snapshot, name string) error {
	var step []Change
	for _, i := range p.Images {
		want, ok := s.ByTag(i.Repository.Ref, name)
		if ok {
			step = s.step(step, i.Repository, registry.TagLatest, want.Digest)
		}
	}
	return apply(ctx, clients, s, step)
}
