package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codetypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/rollout/ecs"
)

type deploymentStopper interface {
	deploymentFinder
	StopServiceDeployment(context.Context, *awsecs.StopServiceDeploymentInput, ...func(*awsecs.Options)) (*awsecs.StopServiceDeploymentOutput, error)
}

type codeDeployStopper interface {
	StopDeployment(context.Context, *codedeploy.StopDeploymentInput, ...func(*codedeploy.Options)) (*codedeploy.StopDeploymentOutput, error)
}

// ErrNotListed is the error for a deployment that ECS did not list in time, so
// that it could not be named to ECS.
var ErrNotListed = errors.New("ECS does not list the deployment yet")

// listedWithin is how long ECS may take to list a deployment that it has
// started.
const listedWithin = 30 * time.Second

// StopDeployment stops a deployment under way and has ECS, or CodeDeploy, bring
// the service back to what it ran before. It returns when that has begun;
// follow the deployment to see the end. It takes one call, and before it one
// ListServiceDeployments and more until ECS lists the deployment, where its ARN
// is not known. A deployment that has ended is refused.
//
// Errors: ErrNotListed.
func StopDeployment(ctx context.Context, client deploymentStopper, codeDeploy codeDeployStopper, d ecs.Deployment) error {
	if d.Service.Controller == types.DeploymentControllerTypeCodeDeploy {
		return stopError(d, stopByCodeDeploy(ctx, codeDeploy, d.ID))
	}
	arn, err := await(ctx, client, d)
	if err != nil {
		return stopError(d, err)
	}
	return stopError(d, stopByECS(ctx, client, arn))
}

// stopTries is how often a stop is asked for whose answer is empty: it may not
// have begun.
const stopTries = 2

func stopByECS(ctx context.Context, client deploymentStopper, arn string) error {
	for range stopTries {
		out, err := client.StopServiceDeployment(ctx, &awsecs.StopServiceDeploymentInput{
			ServiceDeploymentArn: &arn, StopType: types.StopServiceDeploymentStopTypeRollback,
		})
		if err != nil || aws.ToString(out.ServiceDeploymentArn) != "" {
			return err
		}
	}
	return awsclient.Incomplete("ECS", "StopServiceDeployment", "service deployment "+arn)
}

func stopByCodeDeploy(ctx context.Context, client codeDeployStopper, id string) error {
	for range stopTries {
		out, err := client.StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: aws.Bool(true)})
		if err != nil || out.Status != "" {
			return err
		}
	}
	return awsclient.Incomplete("CodeDeploy", "StopDeployment", "the status of deployment "+id)
}

type endReader interface {
	deploymentFinder
	deploymentsAPI
}

// HasEnded reports whether a deployment of ours has ended, however it did, as
// one may that could not be stopped. It takes one call, and one
// ListServiceDeployments before it where the deployment's ARN is not known.
func HasEnded(ctx context.Context, client endReader, codeDeploy deploymentInfoAPI, d ecs.Deployment) (bool, error) {
	if d.Service.Controller == types.DeploymentControllerTypeCodeDeploy {
		out, err := codeDeploy.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &d.ID})
		if err == nil && out.DeploymentInfo == nil {
			err = awsclient.Incomplete("CodeDeploy", "GetDeployment", "deployment "+d.ID)
		}
		if err != nil {
			return false, err
		}
		switch out.DeploymentInfo.Status {
		case codetypes.DeploymentStatusSucceeded, codetypes.DeploymentStatusFailed, codetypes.DeploymentStatusStopped:
			return true, nil
		}
		return false, nil
	}
	arn, err := find(ctx, client, d)
	if err != nil || arn == "" {
		return false, err
	}
	out, err := client.DescribeServiceDeployments(ctx, &awsecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{arn}})
	if err == nil {
		err = checkDeployments([]string{arn}, out)
	}
	if err != nil || len(out.ServiceDeployments) == 0 {
		return false, err
	}
	return ecs.ServiceDeployment{Status: out.ServiceDeployments[0].Status}.Ended(), nil
}

// await repeats find until ECS lists the deployment.
func await(ctx context.Context, client deploymentFinder, d ecs.Deployment) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, listedWithin)
	defer cancel()
	var poll Pauses
	for pause := poll.first(); ; pause = poll.next(pause) {
		arn, err := find(ctx, client, d)
		if err != nil || arn != "" {
			return arn, err
		}
		if !sleep(ctx, pause) {
			return "", errors.Join(ErrNotListed, ctx.Err())
		}
	}
}

func stopError(d ecs.Deployment, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("stopping deployment %s of ECS service %s: %w", d.ID, d.Service.Ref, err)
}
