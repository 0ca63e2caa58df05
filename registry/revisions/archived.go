package revisions

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/registry"
	"slipway/registry/manifests"
)

// UnreadableError is an image that is there and cannot be read.
type UnreadableError = manifests.UnreadableError

// digestOf is the digest that a tag points to, that of an archived image as
// well; empty for none.
func (s *Snapshot) digestOf(ref registry.Ref, tag string) string {
	if i, ok := s.ByTag(ref, tag); ok {
		return i.Digest
	}
	return s.archived[ref][tag]
}

// isArchived reports whether a digest is that of an image which is there and
// cannot be read.
func (s *Snapshot) isArchived(ref registry.Ref, digest string) bool {
	return digest != "" && slices.Contains(slices.Collect(maps.Values(s.archived[ref])), digest)
}

// locateAll returns the digests of the images of an answer that are archived, by the
// tag or digest that was asked for. The error is the *UnreadableError of an image
// that cannot be read for another reason, or whose digest ECR does not return.
func locateAll(ctx context.Context, client imageDescriber, a manifests.Answer) (map[string]string, error) {
	archived := map[string]string{}
	for _, u := range a.Unreadable {
		digest, err := locate(ctx, client, u)
		if err != nil {
			return nil, err
		}
		archived[u.Image] = digest
	}
	return archived, nil
}

// locate finds the digest of an archived image.
func locate(ctx context.Context, client imageDescriber, e *UnreadableError) (string, error) {
	switch {
	case !e.Archived():
		return "", e
	case manifests.IsDigest(e.Image):
		return e.Image, nil
	}
	found, err := describeImage(ctx, client, e.Repository, types.ImageIdentifier{ImageTag: aws.String(e.Image)})
	if err != nil {
		return "", err
	}
	if found.digest == "" {
		return "", e
	}
	return found.digest, nil
}
