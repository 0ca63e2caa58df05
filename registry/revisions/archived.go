package revisions

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/registry"
)

// UnreadableError is an image that is there and cannot be read.
type UnreadableError struct {
	Repository registry.Repository
	// Image is the tag or the digest.
	Image  string
	Code   types.ImageFailureCode
	Reason string
}

// Archived reports whether the image is in the archive. ECR keeps such an image
// and does not return its manifest ("Archiving images" in the ECR user guide).
func (e *UnreadableError) Archived() bool {
	return e.Code == types.ImageFailureCodeImageInaccessible
}

// Error names the image and ECR's reason.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("reading image %s of %s: %s: %s", e.Image, e.Repository.Name, e.Code, e.Reason)
}

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

// locate finds the digests of the archived images. The error is the
// *UnreadableError of an image that cannot be read for another reason, or whose
// digest ECR does not return.
func (a *answer) locate(ctx context.Context, client imageDescriber) error {
	a.archived = map[string]string{}
	for _, u := range a.unreadable {
		digest, err := u.locate(ctx, client)
		if err != nil {
			return err
		}
		a.archived[u.Image] = digest
	}
	return nil
}

// locate finds the digest of an archived image.
func (e *UnreadableError) locate(ctx context.Context, client imageDescriber) (string, error) {
	switch {
	case !e.Archived():
		return "", e
	case isDigest(e.Image):
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
