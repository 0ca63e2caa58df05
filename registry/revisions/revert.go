package revisions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/tags"
)

// Reverted says what Revert did.
type Reverted struct {
	// Changes are the tags that went back: From is where the rollout had put
	// them, To where they stand now, empty for a tag that was not there before.
	Changes []Change
	// NotReverted are tags that the rollout moved, or found moved, and that
	// stay.
	NotReverted []NotReverted
	// SupersededBy names the revision that another job has moved latest to
	// everywhere; empty otherwise.
	SupersededBy string
}

// NotReverted is a tag that did not go back.
type NotReverted struct {
	Repository registry.Repository
	Tag        string
	// Digest is the image that it points to, empty where it is gone.
	Digest string
	Reason Reason
}

// Reason says why a tag stays where it is.
type Reason string

// The reasons.
const (
	// MovedSince: another job has moved the tag since.
	MovedSince Reason = "another job has moved it since"
	// OnlyTag: its image would be deleted with it.
	OnlyTag Reason = "it is the only tag of an image that may be running"
	// Runs: latest does not point to the running image, so that deployed alone
	// keeps it from expiring.
	Runs Reason = "it keeps the running image from expiring"
	// RunsNew: a service runs the image of the rollout, or goes on to it.
	RunsNew Reason = "a service runs the new image or is about to"
	// RunsUnknown: the image that a service is said to run is not in the
	// snapshot.
	RunsUnknown Reason = "the image that a service runs was not found in this repository"
	// Archived: the tag pointed to an archived image, whose manifest ECR does
	// not return.
	Archived Reason = "the image that it pointed to is archived"
)

// RevertError says that tags could not be reverted, and where they point.
type RevertError struct {
	// Err is the first failure.
	Err error
	// Left are the changes that could not be reverted: To is the image that the
	// tag points to, From where it should go, empty for nowhere.
	Left []Change
	// Unknown are the repositories that could not be looked at.
	Unknown []string
	// Diverged is why latest may point to several revisions, after another job
	// moved it at the same time; nil where it does not.
	Diverged error
}

// Error returns the cause and the state of the tags.
func (e *RevertError) Error() string {
	lines := append([]string{fmt.Sprintf("reverting tags: %v", e.Err)}, describeState(e.Left, e.Unknown, e.Diverged)...)
	return strings.Join(lines, "\n")
}

// Kind returns fault.AWS.
func (e *RevertError) Kind() fault.Kind { return fault.AWS }

// Unwrap returns what went wrong first.
func (e *RevertError) Unwrap() error { return e.Err }

// Revert reverts latest and deployed after a rollout that failed: to the images
// that they pointed to before Publish or Promote, whose result p is. Tags of
// revisions stay. Where latest pointed to the new image before, because an
// earlier run was killed before its deployment, it goes to the image that ECS
// was running.
//
// In the repositories of a.Runs, deployed goes to the running image before
// latest leaves it, and stays there; where it cannot, latest stays. Those of
// a.Keep are not changed.
//
// Not reverted, and listed in NotReverted, are a tag that another job has moved
// since, the only tag of an image, a tag that pointed to an archived image, and
// deployed where it alone protects a running image. Where the other job and this one
// leave a mixture of revisions under latest, they agree on one as in Publish,
// and never on the revision that failed. It works on for up to a minute after
// ctx has ended. The error is a *RevertError; the result is right as far as it
// goes even then.
//
// Calls for each repository: one BatchGetImage and one PutImage or
// BatchDeleteImage for each tag to revert, and one DescribeImages, one more
// for each tag to remove; none where nothing was moved. In those of a.Runs one
// BatchGetImage and one PutImage more.
func Revert(ctx context.Context, clients registry.Clients, p Published, a RolloutResult) (Reverted, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revertTime)
	defer cancel()
	r := &reversion{Publication: p.job, clients: clients, snapshot: p.Snapshot, rollout: a, protections: map[registry.Ref]attempt{}}
	r.leaveOut(a.Keep)
	r.plan(ctx, p.Changes)
	if len(r.latest)+len(r.deployed) == 0 {
		return Reverted{}, nil
	}
	r.protectRunning(ctx)
	latest := r.revertAll(ctx, r.latest)
	r.reconcile(ctx)
	for _, t := range latest {
		r.note(t.at(r.state(t.Repository.Ref)))
	}
	for _, t := range r.revertAll(ctx, r.unneeded()) {
		r.note(t)
	}
	r.unprotect(ctx)
	return r.out, r.error()
}

// reversion is a Revert under way.
type reversion struct {
	Publication
	clients  registry.Clients
	snapshot *Snapshot
	rollout  RolloutResult
	// protections are the moves of deployed to the running images.
	protections map[registry.Ref]attempt
	// latest and deployed are the changes to revert.
	latest, deployed []Change
	// now is where latest was last seen, in the order of Images; nil while
	// unknown.
	now  []imageState
	out  Reverted
	fail RevertError
}

// plan finds the changes to revert.
func (r *reversion) plan(ctx context.Context, changes []Change) {
	for _, c := range changes {
		switch {
		case r.rollout.Keep[c.Repository.Ref]:
		case c.Tag == registry.TagLatest:
			r.latest = append(r.latest, c)
		case c.Tag == registry.TagPrevious:
			r.deployed = append(r.deployed, c)
		}
	}
	if r.KeepLatest {
		return
	}
	if again := r.interruptedEarlier(); len(again) > 0 && !(r.publishedNotDeployed() && r.consistentBefore(ctx)) {
		r.latest = append(r.latest, again...)
	}
}

// interruptedEarlier returns the repositories where latest pointed to the new
// image before, although another one ran, as changes to revert.
func (r *reversion) interruptedEarlier() []Change {
	var out []Change
	for _, i := range r.Images {
		ref := i.Repository.Ref
		at, _ := r.snapshot.ByTag(ref, registry.TagLatest)
		running, ok := r.running(r.snapshot, ref)
		if ok && at.Digest == i.Digest && !r.snapshot.equivalent(ref, i.Digest, r.Running[ref]) {
			out = append(out, Change{Repository: i.Repository, Tag: registry.TagLatest, From: running.Digest, To: i.Digest})
		}
	}
	return out
}

// publishedNotDeployed reports whether latest pointed to images that were
// neither the new ones nor those that run, as on a revision that was published
// and not deployed.
func (r *reversion) publishedNotDeployed() bool {
	return slices.ContainsFunc(r.Images, func(i RevisionImage) bool {
		ref := i.Repository.Ref
		at := r.snapshot.digestOf(ref, registry.TagLatest)
		_, known := r.running(r.snapshot, ref)
		return known && at != "" && at != i.Digest && !r.snapshot.equivalent(ref, at, r.Running[ref])
	})
}

// consistentBefore reports whether latest pointed to one revision everywhere
// before. Then it goes back there, also where that shares an image with the one
// that failed; a mixture was left by an earlier run that was killed halfway.
func (r *reversion) consistentBefore(ctx context.Context) bool {
	images, err := r.describe(ctx, r.clients, func(i RevisionImage) types.ImageIdentifier {
		return types.ImageIdentifier{ImageDigest: aws.String(r.snapshot.digestOf(i.Repository.Ref, registry.TagLatest))}
	})
	return err != nil || common(images) != ""
}

// target is the digest that latest should point to in a repository when all is
// done.
func (r *reversion) target(ref registry.Ref) string {
	for _, c := range r.latest {
		if c.Repository.Ref == ref {
			return c.From
		}
	}
	return r.snapshot.digestOf(ref, registry.TagLatest)
}

// attempt is the outcome of the revert of one change.
type attempt struct {
	Change
	// found is where the tag pointed at first, now where it points; empty for
	// nowhere.
	found, now string
	// seen reports that now was read after all was done.
	seen bool
	err  error
}

// revertAll reverts changes in parallel.
func (r *reversion) revertAll(ctx context.Context, changes []Change) []attempt {
	out := make([]attempt, len(changes))
	var g errgroup.Group
	g.SetLimit(registry.MaxCalls)
	for i, c := range changes {
		g.Go(func() error {
			found, err := revertTag(ctx, r.clients(c.Repository.Region), r.snapshot, c, true)
			out[i] = attempt{Change: c, found: found, now: found, err: err}
			if err == nil && found == c.To {
				out[i].now = c.From
			}
			return nil
		})
	}
	_ = g.Wait() // its goroutines keep their errors in out
	return out
}

// at returns the attempt in the light of a later reading, which is more certain
// than an error.
func (t attempt) at(image *imageState) attempt {
	if image == nil {
		return t
	}
	t.now, t.seen = image.digest, true
	if t.now != t.To && !errors.Is(t.err, tags.ErrOnlyTag) {
		t.err = nil
	}
	return t
}

// state returns the image that latest was last seen to point to in a
// repository, nil while unknown.
func (r *reversion) state(ref registry.Ref) *imageState {
	n := slices.IndexFunc(r.Images, func(i RevisionImage) bool { return i.Repository.Ref == ref })
	if n < 0 || r.now == nil {
		return nil
	}
	return &r.now[n]
}

// note files what became of one change.
func (r *reversion) note(t attempt) {
	switch {
	case errors.Is(t.err, tags.ErrOnlyTag):
		r.leave(t.Change, t.now, OnlyTag)
	case errors.Is(t.err, errArchived):
		r.leave(t.Change, t.now, Archived)
	case errors.Is(t.err, tags.ErrUnread) && !t.seen:
		r.failed(t.err)
		r.fail.Unknown = append(r.fail.Unknown, t.Repository.Name)
	case t.err != nil:
		r.failed(t.err)
		r.fail.Left = append(r.fail.Left, t.Change)
	case t.now != t.From:
		r.leave(t.Change, t.now, MovedSince)
	case t.found != t.From:
		r.out.Changes = append(r.out.Changes, Change{Repository: t.Repository, Tag: t.Tag, From: cmp.Or(t.found, t.To), To: t.From})
	}
}

func (r *reversion) leave(c Change, digest string, why Reason) {
	r.out.NotReverted = append(r.out.NotReverted, NotReverted{c.Repository, c.Tag, digest, why})
}

func (r *reversion) failed(err error) {
	if r.fail.Err == nil {
		r.fail.Err = err
	}
}

// reconcile reads where latest points now. Where another job has moved it to a
// revision of its own, in some repositories after this one had reverted it in
// others, both agree; a tag moved by hand in one repository stays there.
func (r *reversion) reconcile(ctx context.Context) {
	now, err := r.Publication.latest(ctx, r.clients)
	if err != nil {
		r.failed(err)
		return
	}
	r.now = now
	if err := r.awaitOthers(ctx); err != nil {
		r.failed(err)
		r.fail.Diverged = err
	}
}

func (r *reversion) awaitOthers(ctx context.Context) error {
	var theirs []imageState
	for i, image := range r.now {
		if image.digest != r.target(r.Images[i].Repository.Ref) && image.digest != r.Images[i].Digest {
			theirs = append(theirs, image)
		}
	}
	if len(theirs) == 0 {
		return nil
	}
	found, err := r.readTags(ctx, r.clients, tagsOf(theirs))
	if err != nil || !slices.ContainsFunc(found.Complete(), func(name string) bool { return r.allows(found, name) }) {
		return err
	}
	r.out.SupersededBy, err = r.awaitAgreement(ctx, r.clients, goal{satisfied: r.satisfied, allows: r.allows})
	return err
}

// satisfied reports whether latest stands where it should, and keeps what it
// saw.
func (r *reversion) satisfied(now []imageState) bool {
	r.now = now
	for i := range now {
		if now[i].digest != r.target(r.Images[i].Repository.Ref) {
			return false
		}
	}
	return true
}

// allows keeps latest off the revision that failed.
func (r *reversion) allows(found *Snapshot, name string) bool {
	return slices.ContainsFunc(r.Images, func(i RevisionImage) bool {
		at, _ := found.ByTag(i.Repository.Ref, name)
		return at.Digest != i.Digest
	})
}

// unneeded returns the moves of deployed that can be reverted: latest protects
// their images again.
func (r *reversion) unneeded() []Change {
	var out []Change
	for _, c := range r.deployed {
		ref := c.Repository.Ref
		latest := r.state(ref)
		_, isProtected := r.protections[ref]
		switch {
		case isProtected: // unprotect decides about it
		case r.runsUnknown(ref):
			r.leave(c, c.To, RunsUnknown)
		case latest == nil:
			r.fail.Left = append(r.fail.Left, c)
		case latest.digest == c.To:
			out = append(out, c)
		default:
			r.leave(c, c.To, Runs)
		}
	}
	return out
}

// error is the *RevertError, if anything went wrong.
func (r *reversion) error() error {
	if r.fail.Err == nil {
		return nil
	}
	slices.Sort(r.fail.Unknown)
	r.fail.Unknown = slices.Compact(r.fail.Unknown)
	return &r.fail
}
