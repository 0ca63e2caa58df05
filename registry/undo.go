package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"
)

// undo puts every tag of the steps back to where the survey saw it, last step first, and
// returns the *PublishError. It looks again instead of trusting its own record, since a
// request that failed may have been carried out, and leaves alone what another job has
// moved since. Where that job and this one leave a mixture of revisions under latest,
// they agree on one as in settle. It works on after an interrupt.
func (p Publication) undo(ctx context.Context, clients Clients, s *Survey, steps [][]Change, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	out := &PublishError{Err: cause}
	for _, step := range slices.Backward(steps) {
		results := make([]error, len(step))
		var g errgroup.Group
		g.SetLimit(maxCalls)
		for i, c := range step {
			g.Go(func() error {
				results[i] = p.putBack(ctx, clients(c.Repository.Region), s, c)
				return nil
			})
		}
		_ = g.Wait() // the goroutines keep their errors in results
		for i, err := range results {
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
		out.Unsettled = p.settleUndone(ctx, clients, s)
	}
	return out
}

// settleUndone makes sure that latest stands where it did, or on one revision of other
// jobs. That nobody else was at work cannot always be seen, and is then taken as given.
func (p Publication) settleUndone(ctx context.Context, clients Clients, s *Survey) error {
	mixed := false
	_, err := p.agree(ctx, clients, s, "", func(now []imageState) bool {
		mixed = !p.before(s, now)
		return !mixed
	})
	if !mixed {
		return nil
	}
	return err
}

// before tells whether latest stands where the survey saw it.
func (p Publication) before(s *Survey, now []imageState) bool {
	for i := range now {
		if at, _ := s.At(p.Images[i].Repository.Ref, TagLatest); now[i].digest != at.Digest {
			return false
		}
	}
	return true
}

// errUnread says that a repository could not be looked at.
var errUnread = errors.New("tags could not be read")

// putBack undoes one change, if it was made and still stands.
func (p Publication) putBack(ctx context.Context, client tagger, s *Survey, c Change) error {
	if stands, err := c.stands(ctx, client); err != nil || !stands {
		return err
	}
	var err error
	if c.From != "" {
		before, _ := s.Known(c.Repository.Ref, c.From)
		err = put(ctx, client, c.Repository, c.Tag, before)
	} else {
		err = p.removeTag(ctx, client, c)
	}
	if err == nil {
		return nil
	}
	// The answer may have been lost on the way back.
	stands, unread := c.stands(ctx, client)
	if unread != nil || stands {
		return errors.Join(err, unread)
	}
	return nil
}

// stands tells whether the tag stands where the change put it. The error wraps errUnread.
func (c Change) stands(ctx context.Context, client imageReader) (bool, error) {
	now, err := readImages(ctx, client, c.Repository, imageIDs([]string{c.Tag}))
	if err != nil {
		return false, errors.Join(errUnread, err)
	}
	return len(now) > 0 && aws.ToString(now[0].ImageId.ImageDigest) == c.To, nil
}

// removeTag takes away a tag that was not there before. Taking the last tag of an image
// deletes the image (BatchDeleteImage API reference): right for one that this job has
// just pushed, never for one that may run. Such a tag stays and is reported; it is
// harmless, since deployed on what runs is what the next job would put there.
func (p Publication) removeTag(ctx context.Context, client tagger, c Change) error {
	if c.Tag == TagDeployed || p.Running[c.Repository.Ref] == c.To {
		last, err := lastTag(ctx, client, c)
		if err != nil {
			return errors.Join(errUnread, err)
		}
		if last {
			return fmt.Errorf("%s is the only tag of an image that may be running", c.Tag)
		}
	}
	out, err := client.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{
		RegistryId:     registryID(c.Repository.Ref),
		RepositoryName: aws.String(c.Repository.Name),
		ImageIds:       []types.ImageIdentifier{{ImageTag: aws.String(c.Tag)}},
	})
	if err != nil {
		return fmt.Errorf("removing %s:%s: %w", c.Repository.Name, c.Tag, err)
	}
	for _, f := range out.Failures {
		if f.FailureCode != types.ImageFailureCodeImageNotFound {
			return fmt.Errorf("removing %s:%s: %s", c.Repository.Name, c.Tag, aws.ToString(f.FailureReason))
		}
	}
	return nil
}

// lastTag tells whether the change's tag is the only one of its image.
func lastTag(ctx context.Context, client tagger, c Change) (bool, error) {
	out, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RegistryId:     registryID(c.Repository.Ref),
		RepositoryName: aws.String(c.Repository.Name),
		ImageIds:       []types.ImageIdentifier{{ImageDigest: aws.String(c.To)}},
	})
	if err != nil {
		return false, fmt.Errorf("reading the tags of %s@%s: %w", c.Repository.Name, c.To, err)
	}
	return len(out.ImageDetails) != 1 || len(out.ImageDetails[0].ImageTags) < 2, nil
}
