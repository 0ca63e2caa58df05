package rollout

import (
	"context"
	"errors"

	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry/revisions"
)

// errOnlyTrusted says what is wrong with a definitions file of an untrusted build.
var errOnlyTrusted = errors.New("is the name of an image that an untrusted build made, and those are not deployed")

// checkDefinitionTrusted refuses an image in ECR that an untrusted build made.
func checkDefinitionTrusted(path, image string) error {
	if _, ok := project.RepositoryOfImage(image); ok && revisions.IsUntrusted(project.TagOrDigest(image)) {
		return fault.NewInput(path, image+" "+errOnlyTrusted.Error(), "build the commit where it is trusted, and deploy that revision: slipway build")
	}
	return nil
}

// checkTrusted refuses images that an untrusted build made, where definitions name
// them by digest.
func (d *Rollout) checkTrusted(ctx context.Context, names map[string]bool) error {
	var byDigest []revisions.RevisionImage
	for _, i := range d.images {
		if names[i.Digest] {
			byDigest = append(byDigest, i)
		}
	}
	return fault.As(fault.AWS, revisions.CheckTrusted(ctx, d.Clients, byDigest))
}
