package cmd

import (
	"github.com/spf13/pflag"

	"slipway/project"
)

// addECSFlags adds the flags that name ECS services.
func addECSFlags(f *pflag.FlagSet, o *project.ECSOptions) {
	f.StringVar(&o.Cluster, "cluster", "", "ECS `cluster` of --ecs-service (default: x-slipway.ecs, else default)")
	f.StringSliceVar(&o.Services, "ecs-service", nil, "ECS `service` to work on, repeated for several (default: x-slipway.ecs)")
}

// addContainerFlags adds the flags that say which containers of the ECS services a
// command works on.
func addContainerFlags(f *pflag.FlagSet, o *project.ECSOptions) {
	f.StringSliceVar(&o.Containers, "container", nil, "`name` of a container to work on, repeated for several (default: the project's)")
	f.StringSliceVar(&o.Repositories, "repository", nil, "`repository` whose containers to work on, repeated for several")
}
