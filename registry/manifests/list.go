package manifests

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/awsclient"
	"slipway/registry"
)

// Lister is the part of ECR that reading images without their manifests needs.
type Lister interface {
	DescribeImages(context.Context, *ecr.DescribeImagesInput, ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error)
}

// maxImages is how many images one page of a listing holds (maxResults in
// DescribeImages' API reference).
const maxImages = 1000

// List returns all images of a repository, archived and untagged ones included, without
// their manifests, and when it was read by ECR's clock. Calls: one DescribeImages for each
// thousand images.
func List(ctx context.Context, client Lister, repo registry.Repository) (images []types.ImageDetail, at time.Time, err error) {
	in := &ecr.DescribeImagesInput{
		RegistryId:     repo.Ref.RegistryID(),
		RepositoryName: aws.String(repo.Name),
		MaxResults:     aws.Int32(maxImages),
		Filter:         &types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterAny},
	}
	err = awsclient.EachPage("ECR DescribeImages", func(token *string) (*string, error) {
		in.NextToken = token
		page, err := client.DescribeImages(ctx, in)
		if err != nil {
			return nil, err
		}
		images = append(images, page.ImageDetails...)
		if t, ok := middleware.GetServerTime(page.ResultMetadata); ok {
			at = t
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, at, fmt.Errorf("listing the images of %s: %w", repo.Name, err)
	}
	return images, at, nil
}

// Describe returns one image without its manifest; one that is not there is the zero
// value. Archived ones have to be asked for (DescribeImagesFilter in ECR's API
// reference).
func Describe(ctx context.Context, client Lister, repo registry.Repository, id types.ImageIdentifier) (types.ImageDetail, error) {
	got, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RegistryId:     repo.Ref.RegistryID(),
		RepositoryName: aws.String(repo.Name),
		ImageIds:       []types.ImageIdentifier{id},
		Filter:         &types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterAny},
	})
	var missing *types.ImageNotFoundException
	switch {
	case errors.As(err, &missing):
		return types.ImageDetail{}, nil
	case err != nil:
		return types.ImageDetail{}, fmt.Errorf("reading %s of %s: %w", Name(&id), repo.Name, err)
	case len(got.ImageDetails) == 0:
		return types.ImageDetail{}, Incomplete("DescribeImages", "image %s of %s", Name(&id), repo.Name)
	}
	return got.ImageDetails[0], nil
}

// Locate returns the digests of the images of an answer that are archived, by the
// tag or digest that was asked for. The error is the *UnreadableError of an image
// that cannot be read for another reason, or whose digest ECR does not return.
// Calls: one DescribeImages for each archived image that was asked for by tag.
func (a Answer) Locate(ctx context.Context, client Lister) (map[string]string, error) {
	archived := map[string]string{}
	for _, u := range a.Unreadable {
		digest, err := u.locate(ctx, client)
		if err != nil {
			return nil, err
		}
		archived[u.Image] = digest
	}
	return archived, nil
}

// locate finds the digest of an archived image.
func (e *UnreadableError) locate(ctx context.Context, client Lister) (string, error) {
	switch {
	case !e.Archived():
		return "", e
	case IsDigest(e.Image):
		return e.Image, nil
	}
	found, err := Describe(ctx, client, e.Repository, types.ImageIdentifier{ImageTag: aws.String(e.Image)})
	if err == nil && found.ImageDigest == nil {
		err = e
	}
	return aws.ToString(found.ImageDigest), err
}
