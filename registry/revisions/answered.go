package revisions

import (
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/awsclient"
	"slipway/registry"
)

// incomplete is an *awsclient.IncompleteError of ECR's.
func incomplete(operation, format string, args ...any) error {
	return awsclient.Incomplete("ECR", operation, fmt.Sprintf(format, args...))
}

// answered ensures that a BatchGetImage has every image that was asked for, or
// says why not: an image that is left out without a word would be taken for one
// that does not exist.
func answered(repo registry.Repository, asked []types.ImageIdentifier, got *ecr.BatchGetImageOutput) error {
	var seen []types.ImageIdentifier
	for _, i := range got.Images {
		if i.ImageId != nil {
			seen = append(seen, *i.ImageId)
		}
	}
	return accounted("BatchGetImage", repo, asked, seen, got.Failures)
}

// accounted ensures that each image that was asked for is among those seen or
// failed.
func accounted(operation string, repo registry.Repository, asked, seen []types.ImageIdentifier, failed []types.ImageFailure) error {
	for _, f := range failed {
		if f.ImageId != nil {
			seen = append(seen, *f.ImageId)
		}
	}
	for _, id := range asked {
		if !slices.ContainsFunc(seen, func(s types.ImageIdentifier) bool { return sameID(id, s) }) {
			return incomplete(operation, "image %s of %s", imageName(&id), repo.Name)
		}
	}
	return nil
}

// sameID reports whether an answer is about an id: a tag by the tag, else the
// digest.
func sameID(asked, seen types.ImageIdentifier) bool {
	if asked.ImageTag != nil {
		return aws.ToString(seen.ImageTag) == *asked.ImageTag
	}
	return aws.ToString(seen.ImageDigest) == aws.ToString(asked.ImageDigest)
}
