package revisions

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/manifests"
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
			if err := stuck[c.Repository.Ref]; err != nil && c.Tag == registry.TagDeployed {
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
			case errors.Is(err, errUnread):
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

// errUnread says that a repository could not be looked at.
var errUnread = errors.New("tags could not be read")

// errOnlyTag says that a tag stays because its image would go with it.
var errOnlyTag = errors.New("it is the only tag of an image that may be running")

// errArchived says that a tag cannot go back because the image there is
// archived.
var errArchived = errors.New("the image that it pointed to is archived")

// revertTag undoes one change, if it was made and still stands. It returns the
// digest on which it found the tag, empty for none.
func revertTag(ctx context.Context, client tagger, s *Snapshot, c Change, mayRun bool) (string, error) {
	found, err := c.read(ctx, client)
	if err != nil || found != c.To || c.From == c.To {
		return found, err
	}
	if c.From != "" {
		before, ok := s.ByDigest(c.Repository.Ref, c.From)
		if !ok {
			return found, errArchived
		}
		err = put(ctx, client, c.Repository, c.Tag, before)
	} else {
		err = removeTag(ctx, client, c, mayRun)
	}
	if err == nil {
		return found, nil
	}
	// The answer may have been lost on the way back.
	now, unread := c.read(ctx, client)
	if unread != nil || now == c.To {
		return found, errors.Join(err, unread)
	}
	return found, nil
}

// read returns the digest on which the change's tag stands now, empty for none.
// The error wraps errUnread.
func (c Change) read(ctx context.Context, client tagger) (string, error) {
	now, err := manifests.Get(ctx, client, c.Repository, manifests.IDs([]string{c.Tag}))
	archived := map[string]string{}
	if err == nil {
		archived, err = locateAll(ctx, client, now)
	}
	switch {
	case err != nil:
		return "", errors.Join(errUnread, err)
	case len(now.Images) > 0:
		return aws.ToString(now.Images[0].ImageId.ImageDigest), nil
	default:
		return archived[c.Tag], nil
	}
}

// mayRun reports whether ECS may be running the image that a change put a tag
// on.
func (p Publication) mayRun(s *Snapshot, c Change) bool {
	running := p.Running[c.Repository.Ref]
	return c.Tag == registry.TagDeployed || running != "" && s.equivalent(c.Repository.Ref, c.To, running)
}

// removeTag removes a tag that did not exist before. Removing the last tag of
// an image deletes the image (BatchDeleteImage API reference): right for one
// that this job has just pushed, never for one that may run. Such a tag stays,
// which errOnlyTag says; it is harmless, since the next job would move deployed
// to the running image, too.
func removeTag(ctx context.Context, client tagger, c Change, mayRun bool) error {
	if mayRun {
		last, err := lastTag(ctx, client, c)
		if err != nil {
			return errors.Join(errUnread, err)
		}
		if last {
			return errOnlyTag
		}
	}
	out, err := client.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{
		RegistryId:     c.Repository.Ref.RegistryID(),
		RepositoryName: aws.String(c.Repository.Name),
		ImageIds:       []types.ImageIdentifier{{ImageTag: aws.String(c.Tag)}},
	})
	if err != nil {
		return fmt.Errorf("removing %s:%s: %w", c.Repository.Name, c.Tag, err)
	}
	if err := manifests.Accounted("BatchDeleteImage", c.Repository, []types.ImageIdentifier{{ImageTag: aws.String(c.Tag)}}, out.ImageIds, out.Failures); err != nil {
		return fmt.Errorf("removing %s:%s: %w", c.Repository.Name, c.Tag, err)
	}
	for _, f := range out.Failures {
		if f.FailureCode != types.ImageFailureCodeImageNotFound {
			return fmt.Errorf("removing %s:%s: %s", c.Repository.Name, c.Tag, aws.ToString(f.FailureReason))
		}
	}
	return nil
}

// lastTag reports whether the change's tag is the only one of its image.
func lastTag(ctx context.Context, client tagger, c Change) (bool, error) {
	out, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RegistryId:     c.Repository.Ref.RegistryID(),
		RepositoryName: aws.String(c.Repository.Name),
		ImageIds:       []types.ImageIdentifier{{ImageDigest: aws.String(c.To)}},
	})
	if err != nil {
		return false, fmt.Errorf("reading the tags of %s@%s: %w", c.Repository.Name, c.To, err)
	}
	if len(out.ImageDetails) == 0 {
		return false, manifests.Incomplete("DescribeImages", "image %s of %s", c.To, c.Repository.Name)
	}
	return len(out.ImageDetails) != 1 || len(out.ImageDetails[0].ImageTags) < 2, nil
}
