package revisions

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/tags"
)

// revert puts every tag of the steps back to where the snapshot saw it, last
// step first, and returns the *PublishError. It looks again instead of trusting
// its own record, since a request that failed may have been carried out, and
// leaves alone what another job has moved since. Where that job and this one
// leave a mixture of revisions under latest, they agree on one as in reconcile.
// It works on after an interrupt.
//
// In a repository whose latest could not be reverted, deployed keeps the image
// that latest left: the same job, run again, finds latest in place and cannot
// know it anymore.
func (p Publication) revert(ctx context.Context, clients registry.Clients, s *Snapshot, steps [][]Change, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revertTime)
	defer cancel()
	out := &PublishError{Err: cause}
	stuck := map[registry.Ref]error{} // why latest of a repository is not known to be reverted
	for _, step := range slices.Backward(recordsLast(steps)) {
		results := make([]error, len(step))
		var g errgroup.Group
		g.SetLimit(registry.MaxCalls)
		for i, c := range step {
			if err := stuck[c.Repository.Ref]; err != nil && c.Tag == registry.TagPrevious {
				results[i] = err
				continue
			}
			g.Go(func() error {
				_, results[i] = revertTag(ctx, clients(c.Repository.Region), s, c, p.mayRun(s, c))
				return nil
			})
		}
		_ = g.Wait() // the goroutines keep their errors in results
		for i, err := range results {
			if err != nil && step[i].Tag == registry.TagLatest {
				stuck[step[i].Repository.Ref] = err
			}
			switch {
			case errors.Is(err, tags.ErrUnread):
				out.Unknown = append(out.Unknown, step[i].Repository.Name)
			case err != nil:
				out.Left = append(out.Left, step[i])
			}
		}
	}
	slices.Sort(out.Unknown)
	out.Unknown = slices.Compact(out.Unknown)
	if !p.KeepLatest && len(out.Left) == 0 && len(out.Unknown) == 0 {
		out.Diverged = p.reconcileReverted(ctx, clients, s)
	}
	return out
}

// reconcileReverted ensures that latest points to the image that it pointed to
// before, or to one revision of other jobs. It cannot always be seen that no
// other job was at work, which is then assumed.
func (p Publication) reconcileReverted(ctx context.Context, clients registry.Clients, s *Snapshot) error {
	mixed := false
	_, err := p.awaitAgreement(ctx, clients, goal{satisfied: func(now []imageState) bool {
		mixed = !p.before(s, now)
		return !mixed
	}})
	if !mixed {
		return nil
	}
	return err
}

// before reports whether latest stands where the snapshot saw it.
func (p Publication) before(s *Snapshot, now []imageState) bool {
	for i := range now {
		if now[i].digest != s.digestOf(p.Images[i].Repository.Ref, registry.TagLatest) {
			return false
		}
	}
	return true
}

// errArchived says that a tag cannot go back because the image there is
// archived.
var errArchived = errors.New("the image that it pointed to is archived")

// revertTag undoes one change, if it was made and still stands. It returns the
// digest on which it found the tag, empty for none.
func revertTag(ctx context.Context, client tags.Client, s *Snapshot, c Change, mayRun bool) (string, error) {
	found, err := tags.Read(ctx, client, c.Repository, c.Tag)
	if err != nil || found != c.To || c.From == c.To {
		return found, err
	}
	if c.From != "" {
		before, ok := s.ByDigest(c.Repository.Ref, c.From)
		if !ok {
			return found, errArchived
		}
		err = tags.Put(ctx, client, c.Repository, c.Tag, before)
	} else {
		err = tags.Remove(ctx, client, c.Repository, c.Tag, c.To, mayRun)
	}
	if err == nil {
		return found, nil
	}
	// The answer may have been lost on the way back.
	now, unread := tags.Read(ctx, client, c.Repository, c.Tag)
	if unread != nil || now == c.To {
		return found, errors.Join(err, unread)
	}
	return found, nil
}

// mayRun reports whether ECS may be running the image that a change put a tag
// on.
func (p Publication) mayRun(s *Snapshot, c Change) bool {
	running := p.Running[c.Repository.Ref]
	return c.Tag == registry.TagPrevious || registry.IsServiceTag(c.Tag) || running != "" && s.equivalent(c.Repository.Ref, c.To, running)
}
