package cmd

import (
	"errors"

	"github.com/spf13/pflag"

	"slipway/internal/fault"
	"slipway/project"
)

// addECSFlags adds the flags that name ECS services.
func addECSFlags(f *pflag.FlagSet, o *project.ECSOptions) {
	f.StringVar(&o.Cluster, "cluster", "", "ECS `cluster` of --ecs-service (default: x-slipway.ecs, else default)")
	f.StringSliceVar(&o.Services, "ecs-service", nil, "ECS `service` to work on, repeated for several (default: x-slipway.ecs)")
}

// checkECS refuses a cluster without a service, and names that ECS does not take.
func checkECS(o project.ECSOptions) error {
	if err := checkECSNames(o); err != nil {
		return err
	}
	if o.Cluster != "" && len(o.Services) == 0 {
		return fault.New(fault.Usage, errors.New("--cluster is given without --ecs-service"), "name the service too: --cluster CLUSTER --ecs-service SERVICE")
	}
	return nil
}
