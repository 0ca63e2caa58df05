package admission

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/plain"
	"slipway/registry"
)

// signer is the part of ECR that signatures need.
type signer interface {
	DescribeImageSigningStatus(context.Context, *ecr.DescribeImageSigningStatusInput, ...func(*ecr.Options)) (*ecr.DescribeImageSigningStatusOutput, error)
}

// signing is the check of one image's signatures.
type signing struct {
	client signer
	repo   registry.Ref
	digest string
	checks Checks
}

func (s signing) pass(ctx context.Context) error {
	what := "the signature of " + s.repo.Name + "@" + s.digest
	err := s.checks.await(ctx, what, func() (bool, error) { return s.look(ctx) })
	if errors.Is(err, context.DeadlineExceeded) {
		return s.refuse("is still being signed after "+s.checks.Timeout.String(), "run the command again when it is signed")
	}
	return err
}

// look asks for the signatures, one for each signing profile that a rule of the registry
// names; false while one is being made.
func (s signing) look(ctx context.Context) (bool, error) {
	signings, err := signings(ctx, s.client, s.repo, s.digest)
	if err != nil {
		return false, err
	}
	if len(signings) == 0 {
		return false, s.refuse("is not signed: no rule of ECR's managed signing is for it", "add a rule to the registry's signing configuration, and push the image again")
	}
	done := true
	for _, status := range signings {
		switch status.Status {
		case types.SigningStatusComplete:
		case types.SigningStatusInProgress:
			done = false
		default:
			return false, s.refuse(fmt.Sprintf("could not be signed with %s (%s)", plain.Text(aws.ToString(status.SigningProfileArn)), cause(status)),
				"remove the cause, and push the image again")
		}
	}
	return done, nil
}

// signings asks for the signatures of an image.
func signings(ctx context.Context, client signer, repo registry.Ref, digest string) ([]types.ImageSigningStatus, error) {
	out, err := client.DescribeImageSigningStatus(ctx, &ecr.DescribeImageSigningStatusInput{
		RegistryId: repo.RegistryID(), RepositoryName: &repo.Name, ImageId: &types.ImageIdentifier{ImageDigest: &digest},
	})
	if err != nil {
		return nil, fmt.Errorf("reading the signature of %s: %w", repo.Name, err)
	}
	return out.SigningStatuses, nil
}

// cause returns why an image was not signed, as far as ECR says so.
func cause(status types.ImageSigningStatus) string {
	text := string(status.Status)
	for _, more := range []*string{status.FailureCode, status.FailureReason} {
		if aws.ToString(more) != "" {
			text += ": " + *more
		}
	}
	return plain.Text(text)
}

func (s signing) refuse(reason, remedy string) error {
	return &RefusedError{Repository: s.repo, Digest: s.digest, Reason: reason, remedy: remedy}
}
