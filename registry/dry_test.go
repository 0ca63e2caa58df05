package registry

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
)

// dryECR answers with what it is told.
type dryECR struct{ check, load error }

func (e dryECR) BatchCheckLayerAvailability(context.Context, *ecr.BatchCheckLayerAvailabilityInput, ...func(*ecr.Options)) (*ecr.BatchCheckLayerAvailabilityOutput, error) {
	return nil, e.check
}

func (e dryECR) GetDownloadUrlForLayer(context.Context, *ecr.GetDownloadUrlForLayerInput, ...func(*ecr.Options)) (*ecr.GetDownloadUrlForLayerOutput, error) {
	return nil, e.load
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized"}
	unreachable := errors.New("no route to host")
	for _, c := range []struct {
		what   string
		ecr    dryECR
		denied []string
		err    error
	}{
		{"allowed", dryECR{load: &types.LayersNotFoundException{}}, nil, nil},
		{"no pull", dryECR{load: denied}, []string{"ecr:GetDownloadUrlForLayer"}, nil},
		{"nothing", dryECR{check: denied, load: denied}, DryActions, nil},
		{"unreachable", dryECR{check: unreachable}, nil, unreachable},
	} {
		got, err := DryRun(t.Context(), c.ecr, Repository{})
		if !slices.Equal(got, c.denied) || !errors.Is(err, c.err) {
			t.Errorf("%s: DryRun = %v, %v, want %v, %v", c.what, got, err, c.denied, c.err)
		}
	}
}
