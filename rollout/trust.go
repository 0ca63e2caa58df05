package rollout

import (
	"context"
	"errors"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/project"
	"slipway/registry/revisions"
)

// errOnlyTrusted says what is wrong with a definitions file of an untrusted build.
var errOnlyTrusted = errors.New("is the name of an image that an untrusted build made, and those are not deployed")

// checkDefinitionTrusted refuses an image in ECR that an untrusted build made.
func checkDefinitionTrusted(path, image string) error {
	if _, ok := project.RepositoryOfImage(image); ok && revisions.IsUntrusted(project.TagOrDigest(image)) {
		return badInput(UntrustedImage, path, "%s %w", plain.Text(image), errOnlyTrusted)
	}
	return nil
}

// checkTrusted refuses images that an untrusted build made, where definitions name
// them by digest.
func (t *Target) checkTrusted(ctx context.Context, aws *awsclient.Clients, names map[string]bool) error {
	var byDigest []revisions.RevisionImage
	for _, i := range t.images {
		if names[i.Digest] {
			byDigest = append(byDigest, i)
		}
	}
	return fault.As(fault.AWS, revisions.CheckTrusted(ctx, aws.Registries(), byDigest))
}
