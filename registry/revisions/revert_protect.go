package revisions

import (
	"context"
	"errors"
	"slices"

	"slipway/registry"
	"slipway/registry/tags"
)

// RolloutResult is how a rollout of several ECS services ended, as far as it
// matters to their repositories. The zero value says that none of them runs the
// new images.
type RolloutResult struct {
	// Keep are the repositories whose tags are not to be touched, since another
	// deployment took over there. It goes before Runs.
	Keep map[registry.Ref]bool
	// Runs are the digests that ECS runs or is about to run, where they are not
	// the previous ones: the new image of a service that succeeded while
	// another failed, or whose deployment could not be stopped. Revert moves
	// deployed to them; one that the snapshot does not know leaves deployed
	// where it is.
	Runs map[registry.Ref]string
}

// leaveOut keeps repositories out of all that follows.
func (r *reversion) leaveOut(refs map[registry.Ref]bool) {
	r.Images = slices.DeleteFunc(slices.Clone(r.Images), func(i RevisionImage) bool { return refs[i.Repository.Ref] })
}

// runsUnknown reports whether a repository's service runs an image that cannot
// be tagged.
func (r *reversion) runsUnknown(ref registry.Ref) bool {
	digest, told := r.rollout.Runs[ref]
	_, known := r.snapshot.TaggedParent(ref, digest)
	return told && !known
}

// protectRunning moves deployed to the running images, in the repositories
// where latest is about to leave them. Where that cannot be done, latest stays,
// also when others are to be agreed with.
func (r *reversion) protectRunning(ctx context.Context) {
	stuck := map[registry.Ref]bool{}
	for _, t := range r.revertAll(ctx, r.protectionMoves()) {
		ref := t.Repository.Ref
		if t.err == nil && t.now == t.From {
			r.protections[ref] = t
			continue
		}
		stuck[ref] = true
		r.reportStuck(t)
	}
	r.latest = slices.DeleteFunc(r.latest, func(c Change) bool { return stuck[c.Repository.Ref] })
	r.deployed = slices.DeleteFunc(r.deployed, func(c Change) bool { return stuck[c.Repository.Ref] })
	r.leaveOut(stuck)
}

// protectionMoves returns moves of deployed, as changes to revert: From is
// where it should go, To where it is thought to point.
func (r *reversion) protectionMoves() []Change {
	var out []Change
	for _, c := range r.latest {
		ref := c.Repository.Ref
		image, ok := r.snapshot.TaggedParent(ref, r.rollout.Runs[ref])
		if !ok || image.Digest == c.From || c.From != "" && !r.snapshot.contains(ref, c.From) {
			continue // latest will protect it, or cannot leave it
		}
		at := r.snapshot.digestOf(ref, registry.TagPrevious)
		if moved, ok := r.move(ref); ok {
			at = moved.To
		}
		out = append(out, Change{Repository: c.Repository, Tag: registry.TagPrevious, From: image.Digest, To: at})
	}
	return out
}

// move returns the change that the rollout made to deployed in a repository.
func (r *reversion) move(ref registry.Ref) (Change, bool) {
	i := slices.IndexFunc(r.deployed, func(c Change) bool { return c.Repository.Ref == ref })
	if i < 0 {
		return Change{}, false
	}
	return r.deployed[i], true
}

// reportStuck says why the tags of a repository stay where they are.
func (r *reversion) reportStuck(t attempt) {
	ref := t.Repository.Ref
	latest := r.latest[slices.IndexFunc(r.latest, func(c Change) bool { return c.Repository.Ref == ref })]
	deployed, moved := r.move(ref)
	switch {
	case t.err == nil:
		r.leave(t.Change, t.now, MovedSince)
		r.leave(latest, latest.To, RunsNew)
	case errors.Is(t.err, tags.ErrUnread):
		r.failed(t.err)
		r.fail.Unknown = append(r.fail.Unknown, t.Repository.Name)
	default:
		r.failed(t.err)
		r.fail.Left = append(r.fail.Left, latest)
		if moved {
			r.fail.Left = append(r.fail.Left, deployed)
		}
	}
}

// unprotect decides where the protecting tags stay. Where latest did not leave
// their images after all, they are reverted, to images that nothing else may
// protect.
func (r *reversion) unprotect(ctx context.Context) {
	var idle []Change
	for _, ref := range r.protectedRefs() {
		t := r.protections[ref]
		moved, ok := r.move(ref)
		latest := r.state(ref)
		switch {
		case latest != nil && latest.digest == t.From:
			if t.found != t.From {
				idle = append(idle, Change{Repository: t.Repository, Tag: t.Tag, From: t.To, To: t.From, Archived: r.snapshot.isArchived(ref, t.To)})
			}
		case ok && moved.From == t.From && t.found != t.From:
			r.out.Changes = append(r.out.Changes, moved.reversed())
		case !ok || moved.From != t.From:
			r.leave(t.Change, t.From, RunsNew)
		}
	}
	for _, t := range r.revertAll(ctx, idle) {
		if t.err == nil && t.now == t.From {
			if _, moved := r.move(t.Repository.Ref); moved {
				r.leave(t.Change, t.now, Runs)
			}
			continue
		}
		r.note(t)
	}
}

// protectedRefs are the repositories of the guards, in the order of the images.
func (r *reversion) protectedRefs() []registry.Ref {
	var out []registry.Ref
	for _, i := range r.Images {
		if _, ok := r.protections[i.Repository.Ref]; ok {
			out = append(out, i.Repository.Ref)
		}
	}
	return out
}

// reversed is the way back.
func (c Change) reversed() Change {
	return Change{Repository: c.Repository, Tag: c.Tag, From: c.To, To: c.From}
}
