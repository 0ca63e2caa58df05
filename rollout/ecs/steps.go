package ecs

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Blocks says why a rolling deployment of a service can never begin; empty if
// it can. The lower limit of running tasks is rounded up, the upper one down
// (API reference, DeploymentConfiguration), so that few tasks may leave ECS
// neither one to stop nor room to start one.
func Blocks(raw types.Service) string {
	c, desired := raw.DeploymentConfiguration, int(raw.DesiredCount)
	if c == nil || c.MinimumHealthyPercent == nil || c.MaximumPercent == nil || desired == 0 {
		return ""
	}
	if d := raw.DeploymentController; d != nil && d.Type != "" && d.Type != types.DeploymentControllerTypeEcs {
		return ""
	}
	if c.Strategy != "" && c.Strategy != types.DeploymentStrategyRolling {
		return ""
	}
	least := (desired*int(*c.MinimumHealthyPercent) + 99) / 100
	most := desired * int(*c.MaximumPercent) / 100
	if least < desired || most > desired {
		return ""
	}
	return fmt.Sprintf("minimumHealthyPercent %d and maximumPercent %d leave no step: of %s, ECS may neither stop one nor start another",
		aws.ToInt32(c.MinimumHealthyPercent), aws.ToInt32(c.MaximumPercent), TaskCount(desired))
}
