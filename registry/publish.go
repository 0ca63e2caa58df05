package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"
)

// Placement is the image that a revision has in one repository. It is there already,
// under its digest.
type Placement struct {
	Repository Repository
	Digest     string
	// Extra are tags that the image gets beside the revision's.
	Extra []string
}

// Publication is a revision about to get its tags.
type Publication struct {
	// Variant gives the names that the revision may get.
	Variant Variant
	// Images are the revision's, one for each repository.
	Images []Placement
	// Running are the digests that ECS runs, where they are known; elsewhere what latest
	// stands on is taken for what runs.
	Running map[Ref]string
	// KeepLatest leaves latest and deployed where they are.
	KeepLatest bool
}

// Change is one tag that moved.
type Change struct {
	Repository Repository
	Tag        string
	// From is the digest before, empty for a tag that was not there; To the one after.
	From, To string
}

// Published is a revision that has its tags.
type Published struct {
	// Name is the revision's: the first variant that no other set of digests has.
	Name string
	// Changes are the tags that moved.
	Changes []Change
	// OvertakenBy names the revision that another job moved latest to at the same time;
	// empty when latest stands on this one.
	OvertakenBy string
	// Pushed tells when each image was first pushed, by ECR's clock; nil when latest was
	// not moved to this revision.
	Pushed map[Ref]time.Time
	// Survey is what stood where before.
	Survey *Survey
}

// PublishError says that tags could not be moved, and what stands where now.
type PublishError struct {
	Err error
	// Left are the changes that could not be taken back: To is what the tag stands on.
	Left []Change
	// Unknown are the repositories that could not be looked at afterwards.
	Unknown []string
	// Unsettled is why latest may stand on several revisions, after another job moved it
	// at the same time; nil where it does not.
	Unsettled error
}

// Error tells the cause and the state of the tags.
func (e *PublishError) Error() string {
	if len(e.Left) == 0 && len(e.Unknown) == 0 && e.Unsettled == nil {
		return fmt.Sprintf("tagging: %v; all tags are where they were", e.Err)
	}
	lines := []string{fmt.Sprintf("tagging: %v; not all tags could be put back:", e.Err)}
	for _, c := range e.Left {
		was := "not there before"
		if c.From != "" {
			was = "before on " + c.From
		}
		lines = append(lines, fmt.Sprintf("  %s:%s stands on %s, %s", c.Repository.Name, c.Tag, c.To, was))
	}
	for _, name := range e.Unknown {
		lines = append(lines, fmt.Sprintf("  %s: its tags could not be read", name))
	}
	if e.Unsettled != nil {
		lines = append(lines, fmt.Sprintf("  another job moved %s too, which may stand on several revisions: %v", TagLatest, e.Unsettled))
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns what stopped the tagging.
func (e *PublishError) Unwrap() error { return e.Err }

// tagger is what moving tags needs of ECR.
type tagger interface {
	imageReader
	PutImage(context.Context, *ecr.PutImageInput, ...func(*ecr.Options)) (*ecr.PutImageOutput, error)
	BatchDeleteImage(context.Context, *ecr.BatchDeleteImageInput, ...func(*ecr.Options)) (*ecr.BatchDeleteImageOutput, error)
	DescribeImages(context.Context, *ecr.DescribeImagesInput, ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error)
}

// Publish gives a revision its tags, all or nothing: the hash everywhere, then deployed,
// then latest, each step in parallel over the repositories. When a step fails, every tag
// goes back to where it was and the error is a *PublishError. A job that is killed on
// the way leaves tags that the same call completes.
//
// Calls for each repository: one BatchGetImage, at most three PutImage and one
// DescribeImages, more only with extra tags or another job at the same time.
func Publish(ctx context.Context, clients Clients, p Publication) (Published, error) {
	survey, err := p.look(ctx, clients)
	if err != nil {
		return Published{}, err
	}
	name, err := p.choose(survey)
	if err != nil {
		return Published{}, err
	}
	out := Published{Name: name, Survey: survey}
	steps := p.steps(survey, name)
	for _, step := range steps {
		if err = apply(ctx, clients, survey, step); err != nil {
			return out, p.undo(ctx, clients, survey, steps, err)
		}
		out.Changes = append(out.Changes, step...)
	}
	if !p.KeepLatest {
		if err = p.settle(ctx, clients, &out); err != nil {
			return out, p.undo(ctx, clients, survey, steps, err)
		}
	}
	return out, nil
}

func (p Publication) look(ctx context.Context, clients Clients) (*Survey, error) {
	var repos []Repository
	extra := map[Ref][]string{}
	for _, i := range p.Images {
		repos = append(repos, i.Repository)
		extra[i.Repository.Ref] = append(slices.Clone(i.Extra), i.Digest, p.Running[i.Repository.Ref])
	}
	return Look(ctx, clients, repos, p.Variant, extra)
}

// choose takes the first variant under which no repository has another digest: a name
// stands for one set of digests for ever. A revision left incomplete is completed.
func (p Publication) choose(s *Survey) (string, error) {
	for _, i := range p.Images {
		if _, ok := s.Known(i.Repository.Ref, i.Digest); !ok {
			return "", fmt.Errorf("repository %s has no image %s to tag", i.Repository.Name, i.Digest)
		}
	}
	for _, name := range s.names {
		taken := slices.ContainsFunc(p.Images, func(i Placement) bool {
			at, ok := s.At(i.Repository.Ref, name)
			return ok && at.Digest != i.Digest
		})
		if !taken {
			return name, nil
		}
	}
	return "", fmt.Errorf("hash %s was built %d times with different results: build it under another name with --hash", s.names[0], len(s.names))
}

// steps lists the tags to move, in the order of the promise: hash and extra tags, then
// deployed, then latest. What stands right already is in no step.
func (p Publication) steps(s *Survey, name string) [][]Change {
	var hash, deployed, latest []Change
	move := func(step []Change, i Placement, tag, to string) []Change {
		at, _ := s.At(i.Repository.Ref, tag)
		if to == "" || at.Digest == to {
			return step
		}
		return append(step, Change{Repository: i.Repository, Tag: tag, From: at.Digest, To: to})
	}
	for _, i := range p.Images {
		for _, tag := range append([]string{name}, i.Extra...) {
			hash = move(hash, i, tag, i.Digest)
		}
		before := len(latest)
		latest = move(latest, i, TagLatest, i.Digest)
		if len(latest) > before {
			// Only where latest moves: run again, the same job must not call deployed
			// what it has itself just made latest.
			deployed = move(deployed, i, TagDeployed, p.running(s, i.Repository.Ref))
		}
	}
	if p.KeepLatest {
		return [][]Change{hash}
	}
	return [][]Change{hash, deployed, latest}
}

// running is the digest that deployed must protect.
func (p Publication) running(s *Survey, ref Ref) string {
	if d, ok := p.Running[ref]; ok {
		if _, known := s.Known(ref, d); known {
			return d
		}
	}
	at, _ := s.At(ref, TagLatest)
	return at.Digest
}

// apply moves the tags of one step in parallel. The first error, or an interrupt, keeps
// further ones from starting, but cuts none off: it may be carried out all the same, and
// that after undo has looked.
func apply(ctx context.Context, clients Clients, s *Survey, step []Change) error {
	var (
		g      errgroup.Group
		mu     sync.Mutex
		failed error
	)
	lasting, done := outlive(ctx, lastCall)
	defer done()
	g.SetLimit(maxCalls)
	for _, c := range step {
		g.Go(func() error {
			mu.Lock()
			stop := failed != nil || ctx.Err() != nil
			mu.Unlock()
			if stop {
				return ctx.Err()
			}
			image, _ := s.Known(c.Repository.Ref, c.To)
			err := put(lasting, clients(c.Repository.Region), c.Repository, c.Tag, image)
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
			return err
		})
	}
	_ = g.Wait() // its goroutines keep their errors in failed, but for an interrupt
	if failed != nil {
		return failed
	}
	return ctx.Err()
}

// lastCall is how long calls under way may still take after an interrupt.
const lastCall = 10 * time.Second

// outlive is a context that ends some time after ctx does. The function returned frees
// what it takes.
func outlive(ctx context.Context, extra time.Duration) (context.Context, func()) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(extra):
			cancel()
		case <-lasting.Done():
		}
	})
	return lasting, func() { stop(); cancel() }
}

// put lets a tag stand on an image by putting the image's manifest under it.
// ImageAlreadyExistsException means that it does already (PutImage API reference).
func put(ctx context.Context, client tagger, repo Repository, tag string, image Image) error {
	_, err := client.PutImage(ctx, &ecr.PutImageInput{
		RegistryId:             registryID(repo.Ref),
		RepositoryName:         aws.String(repo.Name),
		ImageTag:               aws.String(tag),
		ImageDigest:            aws.String(image.Digest),
		ImageManifest:          aws.String(image.Manifest),
		ImageManifestMediaType: aws.String(image.MediaType),
	})
	var exists *types.ImageAlreadyExistsException
	if err == nil || errors.As(err, &exists) {
		return nil
	}
	return fmt.Errorf("moving %s:%s to %s: %w", repo.Name, tag, image.Digest, err)
}

// undoTime is how long putting tags back may take, also after an interrupt.
const undoTime = time.Minute
