package revisions

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/registry"
)

// The beginnings of the tags that name what an image was built from. They are no
// names of revisions.
const (
	inputsPrefix          = registry.TagInputs
	untrustedInputsPrefix = inputsPrefix + "pr-"
)

// InputsTag is the tag of the image that was built from the inputs of a key.
func InputsTag(key string) string { return inputsPrefix + key }

// UntrustedInputsTag is InputsTag for an image of an untrusted build, which no
// trusted one looks for.
func UntrustedInputsTag(key string) string { return untrustedInputsPrefix + key }

// NamesOf returns the names of the revisions that have an image, sorted. Calls:
// one DescribeImages.
func NamesOf(ctx context.Context, clients registry.Clients, repo registry.Repository, digest string) ([]string, error) {
	image, err := describeImage(ctx, clients(repo.Region), repo, types.ImageIdentifier{ImageDigest: aws.String(digest)})
	names := slices.Clone(image.tags)
	slices.Sort(names)
	return names, err
}
