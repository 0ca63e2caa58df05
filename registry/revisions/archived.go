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

// Error names the image and ECR's reason.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("reading image %s of %s: %s: %s", e.Image, e.Repository.Name, e.Code, e.Reason)
}

// Hint says what to do about an archived image, the one kind that ECR keeps and does not
// hand out ("Archiving images" in the ECR user guide).
func (e *UnreadableError) Hint() string {
	if e.Code != types.ImageFailureCodeImageInaccessible {
		return ""
	}
	return "the image is archived: restore it (aws ecr update-image-storage-class --target-storage-class STANDARD …), delete it, or build under another name with --hash"
}

// digestOf is the digest that a tag stands on, that of an archived image as well; empty for
// none.
func (s *Snapshot) digestOf(ref registry.Ref, tag string) string {
	if i, ok := s.ByTag(ref, tag); ok {
		return i.Digest
	}
	return s.archived[ref][tag]
}

// isArchived tells whether a digest is that of an image which is there and cannot be read.
func (s *Snapshot) isArchived(ref registry.Ref, digest string) bool {
	return digest != "" && slices.Contains(slices.Collect(maps.Values(s.archived[ref])), digest)
}

// locate finds the digests of the archived images. The error is the *UnreadableError of an
// image that cannot be read for another reason, or whose digest ECR does not tell.
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
	case e.Code != types.ImageFailureCodeImageInaccessible:
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
