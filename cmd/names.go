package cmd

import (
	"fmt"

	"slipway/internal/awsname"
	"slipway/internal/fault"
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

// checkNames refuses names of clusters and services that ECS does not take.
func (o ecsOptions) checkNames() error {
	if err := checkNamed("--cluster", o.cluster, "write the cluster's name or its ARN", awsname.CheckCluster); err != nil {
		return err
	}
	for _, name := range o.services {
		if err := awsname.CheckService(name); err != nil {
			return fault.New(fault.Usage, fmt.Errorf("--ecs-service: %w", err), "write the ECS service's name or its ARN")
		}
	}
	return nil
}

// checkRegion refuses what is no region: it becomes part of the hosts that credentials are
// sent to. flag is --region's value, found what the SDK takes it or the environment for.
func checkRegion(flag, found string) error {
	where := "AWS region of the environment or the profile"
	if flag != "" {
		where = "--region"
	}
	return checkNamed(where, found, "write a region such as eu-west-1 into --region, AWS_REGION or the profile", awsname.CheckRegion)
}
