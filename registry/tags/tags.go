// Package tags puts, reads and removes single tags of images in ECR repositories.
package tags

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/registry"
	"slipway/registry/manifests"
)

// Client is the part of ECR that moving tags needs.
type Client interface {
	manifests.Reader
	manifests.Lister
	PutImage(context.Context, *ecr.PutImageInput, ...func(*ecr.Options)) (*ecr.PutImageOutput, error)
	BatchDeleteImage(context.Context, *ecr.BatchDeleteImageInput, ...func(*ecr.Options)) (*ecr.BatchDeleteImageOutput, error)
}

// ErrUnread says that a repository could not be looked at.
var ErrUnread = errors.New("tags could not be read")

// ErrOnlyTag says that a tag stays because its image would go with it.
var ErrOnlyTag = errors.New("it is the only tag of an image that may be running")

// Put lets a tag point to an image by putting the image's manifest under it.
// ImageAlreadyExistsException means that it does already (PutImage API
// reference). ImageTagAlreadyExistsException means that the tag is immutable:
// a tag of inputs stays on the image that another job built from the same ones,
// and a record on the one that another job made of the same revision.
func Put(ctx context.Context, client Client, repo registry.Repository, tag string, image manifests.Image) error {
	out, err := client.PutImage(ctx, putInput(repo, tag, image))
	var (
		exists *types.ImageAlreadyExistsException
		taken  *types.ImageTagAlreadyExistsException
	)
	switch {
	case errors.As(err, &exists):
		return nil
	case errors.As(err, &taken) && (strings.HasPrefix(tag, registry.TagInputs) || registry.IsRecordTag(tag)):
		return nil
	case errors.As(err, &taken) && protects(tag):
		return putAgain(ctx, client, repo, tag, image)
	case err == nil && (out.Image == nil || out.Image.ImageId == nil || aws.ToString(out.Image.ImageId.ImageDigest) != image.Digest):
		err = manifests.Incomplete("PutImage", "the image")
	case err == nil:
		return nil
	}
	return fmt.Errorf("moving %s:%s to %s: %w", repo.Name, tag, image.Digest, err)
}

func putInput(repo registry.Repository, tag string, image manifests.Image) *ecr.PutImageInput {
	return &ecr.PutImageInput{
		RegistryId:             repo.Ref.RegistryID(),
		RepositoryName:         aws.String(repo.Name),
		ImageTag:               aws.String(tag),
		ImageDigest:            aws.String(image.Digest),
		ImageManifest:          aws.String(image.Manifest),
		ImageManifestMediaType: aws.String(image.MediaType),
	}
}

// protects reports whether a tag protects a running image or the one before it.
func protects(tag string) bool { return tag == registry.TagPrevious || registry.IsServiceTag(tag) }

// putAgain moves a protecting tag in a repository whose tags cannot move, such
// as one that an earlier version created: it removes the tag and puts it again.
func putAgain(ctx context.Context, client Client, repo registry.Repository, tag string, image manifests.Image) error {
	found, err := Read(ctx, client, repo, tag)
	if err != nil {
		return err
	}
	if found != "" {
		if err := Remove(ctx, client, repo, tag, found, true); err != nil {
			return fmt.Errorf("moving %s:%s, which cannot move: %w", repo.Name, tag, err)
		}
	}
	_, err = client.PutImage(ctx, putInput(repo, tag, image))
	return err
}

// Read returns the digest that a tag points to now, that of an archived image as
// well; empty for no tag. The error wraps ErrUnread.
func Read(ctx context.Context, client Client, repo registry.Repository, tag string) (string, error) {
	now, err := manifests.Get(ctx, client, repo, manifests.IDs([]string{tag}))
	archived := map[string]string{}
	if err == nil {
		archived, err = now.Locate(ctx, client)
	}
	switch {
	case err != nil:
		return "", errors.Join(ErrUnread, err)
	case len(now.Images) > 0:
		return aws.ToString(now.Images[0].ImageId.ImageDigest), nil
	default:
		return archived[tag], nil
	}
}

// Remove removes a tag, which points to a digest. Removing the last tag of
// an image deletes the image (BatchDeleteImage API reference): right for one
// that this job has just pushed, never for one that may run. Such a tag stays,
// which ErrOnlyTag says; it is harmless, since the next job would move deployed
// to the running image, too.
func Remove(ctx context.Context, client Client, repo registry.Repository, tag, digest string, mayRun bool) error {
	if mayRun {
		last, err := lastTag(ctx, client, repo, digest)
		if err != nil {
			return errors.Join(ErrUnread, err)
		}
		if last {
			return ErrOnlyTag
		}
	}
	out, err := client.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{
		RegistryId:     repo.Ref.RegistryID(),
		RepositoryName: aws.String(repo.Name),
		ImageIds:       []types.ImageIdentifier{{ImageTag: aws.String(tag)}},
	})
	if err != nil {
		return fmt.Errorf("removing %s:%s: %w", repo.Name, tag, err)
	}
	if err := manifests.Accounted("BatchDeleteImage", repo, []types.ImageIdentifier{{ImageTag: aws.String(tag)}}, out.ImageIds, out.Failures); err != nil {
		return fmt.Errorf("removing %s:%s: %w", repo.Name, tag, err)
	}
	for _, f := range out.Failures {
		if f.FailureCode != types.ImageFailureCodeImageNotFound {
			return fmt.Errorf("removing %s:%s: %s", repo.Name, tag, aws.ToString(f.FailureReason))
		}
	}
	return nil
}

// lastTag reports whether an image has only one tag.
func lastTag(ctx context.Context, client Client, repo registry.Repository, digest string) (bool, error) {
	out, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RegistryId:     repo.Ref.RegistryID(),
		RepositoryName: aws.String(repo.Name),
		ImageIds:       []types.ImageIdentifier{{ImageDigest: aws.String(digest)}},
	})
	if err != nil {
		return false, fmt.Errorf("reading the tags of %s@%s: %w", repo.Name, digest, err)
	}
	if len(out.ImageDetails) == 0 {
		return false, manifests.Incomplete("DescribeImages", "image %s of %s", digest, repo.Name)
	}
	return len(out.ImageDetails) != 1 || len(out.ImageDetails[0].ImageTags) < 2, nil
}
