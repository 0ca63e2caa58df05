package ecs

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

type configReader interface {
	GetDeploymentConfig(context.Context, *codedeploy.GetDeploymentConfigInput, ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentConfigOutput, error)
}

// shiftTime returns the time that a deployment lets pass by itself before the
// new tasks have all the traffic: the steps of its deployment configuration,
// and the time that it waits for the traffic to be rerouted by hand. The time
// that the old tasks are kept afterwards is not in it. It takes one call; what
// may not be read counts as nothing.
func shiftTime(ctx context.Context, client configReader, info *codedeploytypes.DeploymentInfo) time.Duration {
	wait := readyTime(info.BlueGreenDeploymentConfiguration)
	if aws.ToString(info.DeploymentConfigName) == "" {
		return wait
	}
	out, err := client.GetDeploymentConfig(ctx, &codedeploy.GetDeploymentConfigInput{DeploymentConfigName: info.DeploymentConfigName})
	if err != nil || out.DeploymentConfigInfo == nil {
		return wait
	}
	return wait + routingTime(out.DeploymentConfigInfo.TrafficRoutingConfig)
}

// waitOf is shiftTime of a deployment that has just begun, with two calls.
func waitOf(ctx context.Context, client codeDeployer, id string) time.Duration {
	out, err := client.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
	if err != nil || out.DeploymentInfo == nil {
		return 0
	}
	return shiftTime(ctx, client, out.DeploymentInfo)
}

// readyTime returns how long a deployment waits to be continued before it is
// stopped (API reference, DeploymentReadyOption).
func readyTime(c *codedeploytypes.BlueGreenDeploymentConfiguration) time.Duration {
	if c == nil || c.DeploymentReadyOption == nil || c.DeploymentReadyOption.ActionOnTimeout != codedeploytypes.DeploymentReadyActionStopDeployment {
		return 0
	}
	return time.Duration(c.DeploymentReadyOption.WaitTimeInMinutes) * time.Minute
}

// routingTime returns how long the traffic takes to move. The first part moves
// at once; after it a canary has one interval, linear steps one before each
// further step.
func routingTime(c *codedeploytypes.TrafficRoutingConfig) time.Duration {
	switch {
	case c == nil:
		return 0
	case c.Type == codedeploytypes.TrafficRoutingTypeTimeBasedCanary && c.TimeBasedCanary != nil:
		return time.Duration(c.TimeBasedCanary.CanaryInterval) * time.Minute
	case c.Type == codedeploytypes.TrafficRoutingTypeTimeBasedLinear && c.TimeBasedLinear != nil && c.TimeBasedLinear.LinearPercentage > 0:
		steps := (100 + c.TimeBasedLinear.LinearPercentage - 1) / c.TimeBasedLinear.LinearPercentage
		return time.Duration((steps-1)*c.TimeBasedLinear.LinearInterval) * time.Minute
	default:
		return 0
	}
}
