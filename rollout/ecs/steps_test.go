package ecs

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestBlocks(t *testing.T) {
	for _, tt := range []struct {
		desired, minimum, maximum int32
		strategy                  types.DeploymentStrategy
		controller                types.DeploymentControllerType
		blocks                    bool
	}{
		{desired: 1, minimum: 51, maximum: 199, blocks: true},
		{desired: 1, minimum: 1, maximum: 150, blocks: true},
		{desired: 1, minimum: 0, maximum: 150},
		{desired: 1, minimum: 100, maximum: 200},
		{desired: 2, minimum: 51, maximum: 149, blocks: true},
		{desired: 2, minimum: 50, maximum: 149},
		{desired: 2, minimum: 51, maximum: 150},
		{desired: 3, minimum: 67, maximum: 133, blocks: true},
		{desired: 3, minimum: 66, maximum: 133},
		{desired: 0, minimum: 51, maximum: 150},
		{desired: 1, minimum: 51, maximum: 150, strategy: types.DeploymentStrategyBlueGreen},
		{desired: 1, minimum: 51, maximum: 150, strategy: types.DeploymentStrategyRolling, blocks: true},
		{desired: 1, minimum: 51, maximum: 150, controller: types.DeploymentControllerTypeCodeDeploy},
		{desired: 1, minimum: 51, maximum: 150, controller: types.DeploymentControllerTypeEcs, blocks: true},
	} {
		s := types.Service{DesiredCount: tt.desired, DeploymentConfiguration: &types.DeploymentConfiguration{
			MinimumHealthyPercent: &tt.minimum, MaximumPercent: &tt.maximum, Strategy: tt.strategy,
		}}
		if tt.controller != "" {
			s.DeploymentController = &types.DeploymentController{Type: tt.controller}
		}
		if got := Blocks(s); (got != "") != tt.blocks {
			t.Errorf("Blocks(%+v) = %q", tt, got)
		}
	}
	if got := Blocks(types.Service{DesiredCount: 1, DeploymentConfiguration: &types.DeploymentConfiguration{MaximumPercent: aws.Int32(100)}}); got != "" {
		t.Errorf("Blocks without a minimum = %q", got)
	}
	c := &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(51), MaximumPercent: aws.Int32(199)}
	if got := Blocks(types.Service{DesiredCount: 1, DeploymentConfiguration: c}); !strings.HasPrefix(got, "minimumHealthyPercent 51 and maximumPercent 199 leave no step: of 1 task,") {
		t.Errorf("Blocks = %q", got)
	}
}
