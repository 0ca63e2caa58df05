package revisions

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/registry"
)

// The beginnings of the tags that name the inputs of an image. They do not name
// revisions.
const (
	inputsPrefix          = registry.TagInputs
	untrustedInputsPrefix = inputsPrefix + "pr-"
)

// InputsTag is the tag of the image that was built from the inputs of a key.
func InputsTag(key string) string { return inputsPrefix + key }

// UntrustedInputsTag is InputsTag for an image of an untrusted build, which no
// trusted one looks for.
func UntrustedInputsTag(key string) string { return untrustedInputsPrefix + key }

// InputsTags lists the tags that an image with some inputs can have: the tag of
// the inputs itself, then those that take its place where a repository does not
// let it move to an image that was built again.
func InputsTags(tag string) []string {
	tags := []string{tag}
	for n := 2; n <= maxInputsTags; n++ {
		tags = append(tags, fmt.Sprintf("%s.%d", tag, n))
	}
	return tags
}

const maxInputsTags = 20

// ByInputs returns the image that was built last from some inputs; false where
// there is none that can be pulled. The snapshot was asked for the InputsTags.
func (s *Snapshot) ByInputs(ref registry.Ref, tag string) (Image, bool) {
	for _, t := range slices.Backward(InputsTags(tag)) {
		if image, ok := s.ByTag(ref, t); ok {
			return image, true
		}
	}
	return Image{}, false
}

// inputsTag is the tag that is put on an image for its inputs; empty where none
// is, since the image has one or no tag is free.
func (s *Snapshot) inputsTag(i RevisionImage) string {
	ref := i.Repository.Ref
	if i.Inputs == "" {
		return ""
	}
	if at, ok := s.ByInputs(ref, i.Inputs); ok && at.Digest == i.Digest {
		return ""
	}
	for _, tag := range InputsTags(i.Inputs) {
		if s.digestOf(ref, tag) == "" || i.Repository.CheckMovable([]string{tag}) == nil {
			return tag
		}
	}
	return ""
}

// ImageNames are the names that an image has.
type ImageNames struct {
	// Revisions are the names of revisions, sorted, those of untrusted builds
	// included.
	Revisions []string
	// Tags is the number of all tags.
	Tags int
	// Pushed is when the image was first pushed.
	Pushed time.Time
}

// An image has at most MaxTags tags ("Amazon ECR service quotas" in the ECR user
// guide). Others have put tags on one that has more than ManyTags: names of
// expired revisions are removed.
const (
	MaxTags  = 1000
	ManyTags = 800
)

// NamesOf returns the names of an image. Calls: one DescribeImages.
func NamesOf(ctx context.Context, clients registry.Clients, repo registry.Repository, digest string) (ImageNames, error) {
	image, err := describeImage(ctx, clients(repo.Region), repo, types.ImageIdentifier{ImageDigest: aws.String(digest)})
	out := ImageNames{Revisions: slices.Clone(image.names), Tags: image.count, Pushed: image.pushed}
	slices.Sort(out.Revisions)
	return out, err
}

// CountTags returns the number of tags of the image that a tag points to, 0 for
// none. Calls: one DescribeImages.
func CountTags(ctx context.Context, clients registry.Clients, repo registry.Repository, tag string) (int, error) {
	image, err := describeImage(ctx, clients(repo.Region), repo, types.ImageIdentifier{ImageTag: aws.String(tag)})
	return image.count, err
}
