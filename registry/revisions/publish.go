package revisions

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/record"
)

// RevisionImage is the image that a revision has in one repository. It is there
// already, under its digest.
type RevisionImage struct {
	Repository registry.Repository
	Digest     string
	// Extra are tags that the image gets next to the revision's. They name no
	// revision, and Promote leaves them where they are.
	Extra []string
	// Inputs is the tag that names the inputs of the image (InputsTag); empty for
	// none. It names no revision.
	Inputs string
	// Names are the names of revisions that the image is known to have: those
	// whose record has expired are found out.
	Names []string
	// skip reports whether another tag than Extra names no revision; nil for none.
	skip func(registry.Ref, string) bool
}

// extra reports whether a tag of the image names no revision.
func (i RevisionImage) extra(tag string) bool {
	return slices.Contains(i.Extra, tag) || i.skip != nil && i.skip(i.Repository.Ref, tag)
}

// Publication is a revision about to get its tags.
type Publication struct {
	// Variant gives the names that the revision may get.
	Variant Variant
	// Images are the revision's, one for each repository.
	Images []RevisionImage
	// Running are the running digests, where they are known, be it the image's
	// own or that of an index's manifest. Elsewhere, the image that latest points
	// to is taken for the running one.
	Running map[registry.Ref]string
	// Live are the running digests by ECS service, where they are known.
	Live Live
	// KeepLatest leaves latest and the protecting tags where they are.
	KeepLatest bool
	// KeepNames leaves the revision's name where it was written when the rest
	// fails, instead of removing it: for a build that may remove nothing. The
	// same build completes the revision. It is for use with KeepLatest.
	KeepNames bool
	// Snapshot are the tags as they were read a moment ago with the same Variant;
	// nil reads them. They are read again if they lack something that this
	// publication must know.
	Snapshot *Snapshot
	// Record has the text of the revision's records. Publish fills in its name and
	// the names before it. It is nil for none.
	Record *record.Record
	// Before are the tags as the job found them, and Yields reports whether a
	// revision that was made since goes before this one: latest then stays. Either
	// may be nil.
	Before *Snapshot
	Yields func(record.Record) bool
}

// Change is one tag that moved.
type Change struct {
	Repository registry.Repository
	Tag        string
	// From is the digest before, empty for a tag that was not there; To the one
	// after.
	From, To string
	// Archived reports that the image of From is archived: ECR does not return
	// the manifest, so that the tag cannot be reverted to it.
	Archived bool
}

// Published is a revision that has its tags.
type Published struct {
	// Name is the revision's: the first variant that no other set of digests
	// has.
	Name string
	// Changes are the tags that moved.
	Changes []Change
	// SupersededBy names the revision that another job moved latest to at the
	// same time; empty when latest points to this one.
	SupersededBy string
	// Pushed is when each image was first pushed, by ECR's clock; nil when
	// latest was not moved to this revision.
	Pushed map[registry.Ref]time.Time
	// Unprotected are the digests of the running images, or of those that
	// latest left where these are not known, to which deployed could not be
	// moved because they are archived; nil for none.
	Unprotected map[registry.Ref]string
	// Newer is the revision that this one yielded to: latest stays on it. Its
	// Revision is empty elsewhere.
	Newer record.Record
	// Dead are the names of expired revisions that images of this one have.
	Dead []DeadNames
	// Snapshot are the tags as they were before.
	Snapshot *Snapshot
	// job is the publication that Revert reverts.
	job Publication
}

// PublishError says that tags could not be moved, and where they point now.
type PublishError struct {
	Err error
	// Left are the changes that could not be reverted: To is the image that the
	// tag points to.
	Left []Change
	// Unknown are the repositories that could not be looked at afterwards.
	Unknown []string
	// Kept reports that the names that were written stay
	// (Publication.KeepNames).
	Kept bool
	// Diverged is why latest may point to several revisions, after another job
	// moved it at the same time; nil where it does not.
	Diverged error
}

// Error returns the cause and the state of the tags.
func (e *PublishError) Error() string {
	if e.Kept {
		return fmt.Sprintf("tagging: %v; no tag was moved, and the same build completes the revision", e.Err)
	}
	if len(e.Left) == 0 && len(e.Unknown) == 0 && e.Diverged == nil {
		return fmt.Sprintf("tagging: %v; all tags are where they were", e.Err)
	}
	lines := append([]string{fmt.Sprintf("tagging: %v; not all tags could be reverted:", e.Err)}, describeState(e.Left, e.Unknown, e.Diverged)...)
	return strings.Join(lines, "\n")
}

// Kind returns fault.AWS.
func (e *PublishError) Kind() fault.Kind { return fault.AWS }

// describeState returns, in a line each, where the tags point that could not be
// reverted.
func describeState(left []Change, unknown []string, diverged error) []string {
	var lines []string
	for _, c := range left {
		was := "did not exist before"
		if c.From != "" {
			was = "pointed to " + c.From + " before"
		}
		if c.Archived {
			was += ", which is archived: no tag can be moved to it"
		}
		lines = append(lines, fmt.Sprintf("  %s:%s points to %s, %s", c.Repository.Name, c.Tag, c.To, was))
	}
	for _, name := range unknown {
		lines = append(lines, fmt.Sprintf("  %s: its tags could not be read", name))
	}
	if diverged != nil {
		lines = append(lines, fmt.Sprintf("  another job moved %s too, which may point to several revisions: %v", registry.TagLatest, diverged))
	}
	return lines
}

// Unwrap returns what stopped the tagging.
func (e *PublishError) Unwrap() error { return e.Err }

// Publish gives a revision its tags, all or nothing: the hash and the record
// everywhere, then the extra tags, then the protecting tags, then latest, each step in
// parallel over the repositories. When a step fails, every tag goes back to where it was and the
// error is a *PublishError. A job that is killed on the way leaves tags that
// the same call completes. Tags can leave archived images, and nothing brings
// them back there; an image of the revision that is archived is an
// *ArchivedError before anything is touched.
//
// Calls for each repository: one BatchGetImage, unless the publication has a snapshot,
// at most five PutImage, two more for each ECS service, and one DescribeImages, and one
// PutImage more in one repository; more only with extra tags or another job at the same
// time.
func Publish(ctx context.Context, clients registry.Clients, p Publication) (Published, error) {
	snapshot, err := p.readSnapshot(ctx, clients)
	if err != nil {
		return Published{}, err
	}
	name, err := p.choose(snapshot)
	if err != nil {
		return Published{}, err
	}
	newer, yields := p.newer(snapshot)
	if yields {
		p = p.yielding()
	}
	steps, err := p.steps(snapshot, name)
	if err != nil {
		return Published{}, err
	}
	out, err := p.carryOut(ctx, clients, snapshot, name, steps)
	out.Newer, out.Dead = newer, p.dead(snapshot, name)
	return out, err
}

// carryOut moves the tags of the steps, all or nothing, and settles where
// latest stands.
func (p Publication) carryOut(ctx context.Context, clients registry.Clients, snapshot *Snapshot, name string, steps [][]Change) (Published, error) {
	out := Published{Name: name, Snapshot: snapshot, Unprotected: p.unprotected(snapshot), job: p}
	latest := p.lookAhead(ctx, clients, steps)
	err := applyAll(ctx, clients, snapshot, steps, &out)
	now := latest()
	if err != nil {
		return out, p.revertSteps(ctx, clients, snapshot, steps, err)
	}
	if p.KeepLatest || now != nil && p.settled(now, &out) {
		return out, nil
	}
	if err := p.reconcile(ctx, clients, &out); err != nil {
		return out, p.revert(ctx, clients, snapshot, steps, err)
	}
	return out, nil
}

// applyAll moves the tags of the steps, one step after the other, and notes the moves.
func applyAll(ctx context.Context, clients registry.Clients, s *Snapshot, steps [][]Change, out *Published) error {
	for _, step := range steps {
		if err := apply(ctx, clients, s, step); err != nil {
			return err
		}
		out.Changes = append(out.Changes, step...)
	}
	return nil
}

// lookAhead reads where latest stands while the tags move, if they are others: a job
// that does not move latest need not look after its moves. The function that it returns
// waits for the answer; it returns nil if there is no answer.
func (p Publication) lookAhead(ctx context.Context, clients registry.Clients, steps [][]Change) func() []imageState {
	moves := func(step []Change) bool {
		return slices.ContainsFunc(step, func(c Change) bool { return c.Tag == registry.TagLatest })
	}
	if p.KeepLatest || slices.ContainsFunc(steps, moves) {
		return func() []imageState { return nil }
	}
	answer := make(chan []imageState, 1)
	go func() {
		defer close(answer)
		if now, err := p.latest(ctx, clients); err == nil {
			answer <- now // else reconcile asks again
		}
	}()
	return func() []imageState { return <-answer }
}

// revertSteps undoes the steps unless names are kept.
func (p Publication) revertSteps(ctx context.Context, clients registry.Clients, s *Snapshot, steps [][]Change, cause error) error {
	if p.KeepNames {
		return &PublishError{Err: cause, Kept: true}
	}
	return p.revert(ctx, clients, s, steps, cause)
}

// readSnapshot returns Snapshot if that suffices, else it reads the tags.
func (p Publication) readSnapshot(ctx context.Context, clients registry.Clients) (*Snapshot, error) {
	if p.Snapshot != nil && !slices.ContainsFunc(p.Images, p.unread) {
		return p.Snapshot, nil
	}
	extra := map[registry.Ref][]string{}
	for _, i := range p.Images {
		extra[i.Repository.Ref] = slices.Concat(i.Extra, []string{i.Digest, p.Running[i.Repository.Ref]}, p.Live.Names(i.Repository.Ref), recordsOf(i.Names))
		if i.Inputs != "" {
			extra[i.Repository.Ref] = append(extra[i.Repository.Ref], InputsTags(i.Inputs)...)
		}
	}
	return readSnapshot(ctx, clients, p.repositories(), p.Variant, extra, func(ref registry.Ref, tag string) bool {
		return slices.ContainsFunc(p.Images, func(i RevisionImage) bool { return i.Repository.Ref == ref && i.extra(tag) })
	})
}

// unread reports whether Snapshot does not say all that must be known of an image.
func (p Publication) unread(i RevisionImage) bool {
	_, there := p.Snapshot.ByDigest(i.Repository.Ref, i.Digest)
	if running := p.Running[i.Repository.Ref]; running != "" {
		_, known := p.Snapshot.TaggedParent(i.Repository.Ref, running)
		there = there && known
	}
	return !there || !p.Live.read(p.Snapshot, i.Repository.Ref) || len(i.Extra) > 0 || i.Inputs != ""
}

// choose takes the first variant under which no repository has another digest:
// a name stands for one set of digests forever. A revision left incomplete is
// completed.
func (p Publication) choose(s *Snapshot) (string, error) {
	if err := p.check(s); err != nil {
		return "", err
	}
	for _, name := range s.names {
		if !slices.ContainsFunc(p.Images, func(i RevisionImage) bool { return s.taken(i, name) }) {
			return name, nil
		}
	}
	return "", &NamesUsedError{Hash: s.names[0], Count: len(s.names)}
}

// NamesUsedError reports that a hash was built so often with different results
// that it has no variant left.
type NamesUsedError struct {
	// Hash is the first of its names.
	Hash string
	// Count is the number of different results.
	Count int
}

// Error names the hash.
func (e *NamesUsedError) Error() string {
	return fmt.Sprintf("hash %s was built %d times with different results", e.Hash, e.Count)
}

// check ensures that every image is there to be tagged.
func (p Publication) check(s *Snapshot) error {
	archived := &ArchivedError{}
	for _, i := range p.Images {
		_, ok := s.ByDigest(i.Repository.Ref, i.Digest)
		switch {
		case ok:
		case s.isArchived(i.Repository.Ref, i.Digest):
			archived.Images = append(archived.Images, ArchivedImage{i.Repository, i.Digest})
		default:
			return fmt.Errorf("repository %s has no image %s to tag", i.Repository.Name, i.Digest)
		}
	}
	if len(archived.Images) > 0 {
		return archived
	}
	return nil
}

// repositories are those of the images.
func (p Publication) repositories() []registry.Repository {
	repos := make([]registry.Repository, len(p.Images))
	for i, image := range p.Images {
		repos[i] = image.Repository
	}
	return repos
}

// steps lists the tags to move, in the order of the promise: the hash, the record and the
// tags of inputs, then the extra tags, then deployed, then latest. A tag that is right already is in no
// step. An extra tag never points to an image before the hash does: that is how
// CheckExtra knows it again.
func (p Publication) steps(s *Snapshot, name string) ([][]Change, error) {
	var hash, extra []Change
	for _, i := range p.Images {
		hash = s.step(hash, i.Repository, name, i.Digest)
		if tag := s.inputsTag(i); tag != "" {
			hash = s.step(hash, i.Repository, tag, i.Digest)
		}
		for _, tag := range i.Extra {
			extra = s.step(extra, i.Repository, tag, i.Digest)
		}
	}
	records, err := p.records(s, name)
	out := [][]Change{append(hash, records...), extra}
	if p.KeepLatest {
		return out, err
	}
	latest, newest := p.latestSteps(s), p.newest(s, name, records)
	if last := &latest[len(latest)-1]; len(*last) == 0 {
		out[0] = append(out[0], newest...) // no latest moves that it must wait for
	} else {
		*last = append(*last, newest...)
	}
	return append(out, latest...), err
}

// latestSteps lists where the protecting tags must move, and then latest.
func (p Publication) latestSteps(s *Snapshot) [][]Change {
	steps := append(p.Live.steps(s, p.repositories()), nil)
	previous, latest := &steps[1], &steps[2]
	for _, i := range p.Images {
		if out := p.protected(s, i); !s.isArchived(i.Repository.Ref, out) {
			*previous = s.step(*previous, i.Repository, registry.TagPrevious, out)
		}
		*latest = s.step(*latest, i.Repository, registry.TagLatest, i.Digest)
	}
	return steps
}

// unprotected are the archived images that deployed should point to and does
// not.
func (p Publication) unprotected(s *Snapshot) map[registry.Ref]string {
	if p.KeepLatest {
		return nil
	}
	var out map[registry.Ref]string
	for _, i := range p.Images {
		ref := i.Repository.Ref
		if d := p.outgoing(s, i); s.isArchived(ref, d) && s.digestOf(ref, registry.TagPrevious) != d {
			if out == nil {
				out = map[registry.Ref]string{}
			}
			out[ref] = d
		}
	}
	return out
}

// step adds the move of a tag to an image, unless it stands there already or
// there is no image to move it to.
func (s *Snapshot) step(to []Change, repo registry.Repository, tag, digest string) []Change {
	at := s.digestOf(repo.Ref, tag)
	if digest == "" || at == digest {
		return to
	}
	return append(to, Change{Repository: repo, Tag: tag, From: at, To: digest, Archived: s.isArchived(repo.Ref, at)})
}

// outgoing returns the digest that deployed must protect, empty where deployed
// is to stay: the running one, unless that is the new image, which latest
// protects. Where the running image is not known, it is the image that latest
// is about to leave: run again, the same job must not call deployed an image
// that it has itself just made latest.
func (p Publication) outgoing(s *Snapshot, i RevisionImage) string {
	ref := i.Repository.Ref
	if s.isArchived(ref, p.Running[ref]) {
		return p.Running[ref]
	}
	if running, ok := p.running(s, ref); ok {
		if s.equivalent(ref, i.Digest, p.Running[ref]) {
			return ""
		}
		return running.Digest
	}
	at := s.digestOf(ref, registry.TagLatest)
	if at == i.Digest {
		return ""
	}
	return at
}

// protected is outgoing, or else, where an earlier version protected an image
// under another tag, that image.
func (p Publication) protected(s *Snapshot, i RevisionImage) string {
	ref := i.Repository.Ref
	if out := p.outgoing(s, i); out != "" || s.digestOf(ref, registry.TagPrevious) != "" {
		return out
	}
	return s.digestOf(ref, registry.TagDeployed)
}

// running is the image that ECS runs, where it is known and still there.
func (p Publication) running(s *Snapshot, ref registry.Ref) (Image, bool) {
	return s.TaggedParent(ref, p.Running[ref])
}
