// Package check refuses flags that are wrong together or by themselves, before
// anything is read.
package check

import (
	"errors"
	"fmt"

	"slipway/internal/awsname"
	"slipway/internal/fault"
	"slipway/project"
)

// ECS refuses a cluster without a service, and names that ECS does not take.
func ECS(o project.ECSOptions) error {
	if err := awsname.CheckCluster(o.Cluster); o.Cluster != "" && err != nil {
		return fault.New(fault.Usage, fmt.Errorf("--cluster: %w", err), "write the cluster's name or its ARN")
	}
	for _, name := range o.Services {
		if err := awsname.CheckService(name); err != nil {
			return fault.New(fault.Usage, fmt.Errorf("--ecs-service: %w", err), "write the ECS service's name or its ARN")
		}
	}
	if o.Cluster != "" && len(o.Services) == 0 {
		return fault.New(fault.Usage, errors.New("--cluster is given without --ecs-service"), "name the service too: --cluster CLUSTER --ecs-service SERVICE")
	}
	return nil
}
