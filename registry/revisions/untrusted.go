package revisions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/fault"
	"slipway/internal/trust"
	"slipway/registry"
)

// IsUntrusted reports whether a tag is one that an untrusted build gave, such as
// the build of a pull request: the name of a revision, or that of inputs. No trusted build reuses such
// a revision, and none is deployed.
func IsUntrusted(tag string) bool {
	return trust.Reserved(tag) || strings.HasPrefix(tag, untrustedInputsPrefix)
}

// Untrusted reports whether an untrusted build made the revision.
func (r Revision) Untrusted() bool { return IsUntrusted(r.Name) }

// onlyUntrusted reports whether an image has tags, and each is a name of an
// untrusted build.
func onlyUntrusted(tags []string) bool {
	return len(tags) > 0 && !slices.ContainsFunc(tags, func(tag string) bool { return !IsUntrusted(tag) })
}

// ErrUntrusted is the reason of a NameError for a name of an untrusted build.
var ErrUntrusted = errors.New("an untrusted build made the revision of that name, and those are not deployed")

// UntrustedError says that an image, known by its digest, was made by an
// untrusted build: all its tags are names of such builds.
type UntrustedError struct {
	Repository registry.Repository
	Digest     string
}

// Error names the image.
func (e *UntrustedError) Error() string {
	return fmt.Sprintf("%s was made by an untrusted build, and those are not deployed", imageOf(e.Repository, e.Digest))
}

// Kind returns fault.Usage.
func (e *UntrustedError) Kind() fault.Kind { return fault.Usage }

// CheckTrusted returns an *UntrustedError if an untrusted build made one of the
// images, which are given by digest. Calls: one DescribeImages for
// each image.
func CheckTrusted(ctx context.Context, clients registry.Clients, images []RevisionImage) error {
	states, err := Publication{Images: images}.describe(ctx, clients, func(i RevisionImage) types.ImageIdentifier {
		return types.ImageIdentifier{ImageDigest: aws.String(i.Digest)}
	})
	if err != nil {
		return err
	}
	return checkTrusted(images, states)
}

// checkTrusted returns an *UntrustedError for the first image that only names
// of untrusted builds point to.
func checkTrusted(images []RevisionImage, states []imageState) error {
	for i, state := range states {
		if state.untrusted {
			return &UntrustedError{images[i].Repository, images[i].Digest}
		}
	}
	return nil
}

// foreign reports whether the snapshot, of a trusted build, knows an image only
// by names of untrusted ones.
func (s *Snapshot) foreign(ref registry.Ref, digest string) bool {
	if len(s.names) > 0 && IsUntrusted(s.names[0]) {
		return false
	}
	var tags []string
	for tag, image := range s.tags[ref] {
		if image.Digest == digest {
			tags = append(tags, tag)
		}
	}
	return onlyUntrusted(tags)
}
