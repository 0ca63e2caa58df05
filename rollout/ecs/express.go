package ecs

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

type expressUpdater interface {
	serviceDescriber
	UpdateExpressGatewayService(context.Context, *ecs.UpdateExpressGatewayServiceInput, ...func(*ecs.Options)) (*ecs.UpdateExpressGatewayServiceOutput, error)
}

// Express reports whether ECS Express Mode manages the service with its load
// balancer and scaling. Express Mode owns such a service, and its next change
// may overwrite one that was made with UpdateService (API reference,
// Service.resourceManagementType).
func (s Service) Express() bool {
	return s.Raw.ResourceManagementType == types.ResourceManagementTypeEcs
}

const (
	// expressListed is how long ECS may take to show the deployment that an
	// update of Express Mode starts, whose answer does not name it.
	expressListed = 30 * time.Second
	// expressPause is the pause between two looks for it.
	expressPause = time.Second
)

// deployByExpress starts the deployment of a task definition with Express Mode,
// and finds it: one call, and one more each second until ECS lists it.
func deployByExpress(ctx context.Context, client expressUpdater, c Change, definition string) (Deployment, error) {
	_, err := client.UpdateExpressGatewayService(ctx, &ecs.UpdateExpressGatewayServiceInput{
		ServiceArn: aws.String(c.Service.ARN), TaskDefinitionArn: &definition,
	})
	if err != nil {
		return Deployment{}, &DeployError{Ref: c.Service.Ref, Started: mayHaveStarted(err), TaskDefinition: definition, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, expressListed)
	defer cancel()
	for {
		d, begun, err := Begun(ctx, client, c)
		if begun {
			return d, nil
		}
		if err == nil {
			err = errNoDeployment
		}
		select {
		case <-ctx.Done():
			return Deployment{}, &DeployError{Ref: c.Service.Ref, Started: true, TaskDefinition: definition, Err: err}
		case <-time.After(expressPause):
		}
	}
}
