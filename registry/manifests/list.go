package manifests

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/awsclient"
	"slipway/registry"
)

// Lister is the part of ECR that a listing needs.
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
