package cmd

import (
	"fmt"

	"slipway/internal/awsname"
	"slipway/internal/fault"
	"slipway/project"
)

// checkNamed refuses a value of a flag or variable that does not follow AWS's grammar.
// Empty ones are left to what they default to.
func checkNamed(where, value, remedy string, check func(string) error) error {
	if value == "" {
		return nil
	}
	if err := check(value); err != nil {
		return fault.New(fault.Usage, fmt.Errorf("%s: %w", where, err), remedy)
	}
	return nil
}

// checkECSNames refuses names of clusters and services that ECS does not take.
func checkECSNames(o project.ECSOptions) error {
	if err := checkNamed("--cluster", o.Cluster, "write the cluster's name or its ARN", awsname.CheckCluster); err != nil {
		return err
	}
	for _, name := range o.Services {
		if err := awsname.CheckService(name); err != nil {
			return fault.New(fault.Usage, fmt.Errorf("--ecs-service: %w", err), "write the ECS service's name or its ARN")
		}
	}
	return nil
}
