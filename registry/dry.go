package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/opencontainers/go-digest"
)

// dryCaller is the part of ECR that trying permissions out needs.
type dryCaller interface {
	BatchCheckLayerAvailability(context.Context, *ecr.BatchCheckLayerAvailabilityInput, ...func(*ecr.Options)) (*ecr.BatchCheckLayerAvailabilityOutput, error)
	GetDownloadUrlForLayer(context.Context, *ecr.GetDownloadUrlForLayerInput, ...func(*ecr.Options)) (*ecr.GetDownloadUrlForLayerOutput, error)
}

// absentLayer is the digest of a layer that no repository has: asking for it
// shows whether one may ask.
var absentLayer = digest.FromString("slipway asks for a layer that is in no repository").String()

// DryActions are the permissions that DryRun tries out.
var DryActions = []string{"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"}

// DryRun tries out those permissions of a push and a pull that can be tried
// without writing anything, and returns the ones that are denied. The error is
// another trouble than a denial.
func DryRun(ctx context.Context, client dryCaller, repo Repository) (denied []string, err error) {
	_, checking := client.BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{
		RegistryId: aws.String(repo.Account), RepositoryName: aws.String(repo.Name), LayerDigests: []string{absentLayer},
	})
	_, loading := client.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{
		RegistryId: aws.String(repo.Account), RepositoryName: aws.String(repo.Name), LayerDigest: aws.String(absentLayer),
	})
	for i, err := range []error{checking, loading} {
		var api smithy.APIError
		var none *types.LayersNotFoundException
		switch {
		case err == nil, errors.As(err, &none):
		case errors.As(err, &api) && api.ErrorCode() == "AccessDeniedException":
			denied = append(denied, DryActions[i])
		default:
			return denied, fmt.Errorf("trying %s on %s: %w", DryActions[i], repo.Ref, err)
		}
	}
	return denied, nil
}
