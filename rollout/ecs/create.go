package ecs

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"
)

// Create is the action for a service that does not exist: it is created.
const Create Action = "create"

// Creation is the creation of a service that does not exist.
type Creation struct {
	// Request returns the request for the ARN of a task definition. Equal requests have
	// equal client tokens.
	Request func(definition string) (*ecs.CreateServiceInput, error)
	// Lines are the settings of the service for people.
	Lines []string
}

type serviceCreator interface {
	CreateService(context.Context, *ecs.CreateServiceInput, ...func(*ecs.Options)) (*ecs.CreateServiceOutput, error)
}

// NewService returns a service that does not exist. With has its settings.
func NewService(ref Ref, desired int, c Creation) Service {
	return Service{Ref: ref, Controller: types.DeploymentControllerTypeEcs, Strategy: types.DeploymentStrategyRolling, Desired: desired, New: &c}
}

// ReadPresent is Read for those services that exist. The others are zero, and each has an
// error that says why it counts as missing.
func ReadPresent(ctx context.Context, client serviceReader, refs []Ref) ([]Service, []*MissingError, error) {
	described, missing, err := findServices(ctx, client, refs, false)
	if err != nil {
		return nil, nil, err
	}
	services, err := readAll(ctx, client, refs, described)
	return services, missing, err
}

// readAll reads the details of services that were described; others are zero.
func readAll(ctx context.Context, client serviceReader, refs []Ref, described map[Ref]types.Service) ([]Service, error) {
	services := make([]Service, len(refs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, ref := range refs {
		raw, ok := described[ref]
		if !ok {
			continue
		}
		g.Go(func() error {
			s, err := readDetails(ctx, client, newService(ref, raw))
			if err != nil {
				return fmt.Errorf("reading ECS service %s: %w", ref, err)
			}
			services[i] = s
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return services, nil
}

// ReadFamily reads the newest ACTIVE revision of a family with one call. It reports false
// if the family has none.
func ReadFamily(ctx context.Context, client definitionReader, family string) (Definition, bool, error) {
	d, err := describe(ctx, client, family)
	if gone := new(types.ClientException); errors.As(err, &gone) {
		return Definition{}, false, nil
	}
	return d, err == nil, err
}

// create creates a service, and registers its task definition unless an equal one is there:
// an earlier run that was interrupted may have registered it.
func create(ctx context.Context, client deployer, c Change) (Deployment, error) {
	arn, err := c.newDefinition(ctx, client)
	if err != nil {
		return Deployment{}, &DeployError{Ref: c.Service.Ref, Err: err}
	}
	in, err := c.Service.New.Request(arn)
	if err != nil {
		return Deployment{}, &DeployError{Ref: c.Service.Ref, TaskDefinition: arn, Err: err}
	}
	out, err := client.CreateService(ctx, in)
	if err != nil {
		return Deployment{}, &DeployError{Ref: c.Service.Ref, Started: mayHaveStarted(err), TaskDefinition: arn, Err: fmt.Errorf("creating it: %w", err)}
	}
	d, ok := c.created(out.Service)
	if !ok {
		return Deployment{}, &DeployError{Ref: c.Service.Ref, Started: true, TaskDefinition: arn, Err: errNoDeployment}
	}
	return d, nil
}

// newDefinition returns the ARN of the task definition of a service to create.
func (c Change) newDefinition(ctx context.Context, client definitionWriter) (string, error) {
	next := c.Service.next()
	if next.ARN != "" && len(c.Images) == 0 {
		return next.ARN, nil
	}
	next, err := next.WithImages(c.Images)
	if err != nil {
		return "", err
	}
	return register(ctx, client, next)
}

// created returns the first deployment of a service that was created. It reports false if
// ECS's description has none.
func (c Change) created(raw *types.Service) (Deployment, bool) {
	started, ok := newDeployment(types.Service{}, raw)
	if !ok {
		return Deployment{}, false
	}
	s := newService(c.Service.Ref, *raw)
	s.Containers, s.New = c.Service.Containers, c.Service.New
	return Deployment{
		Service: s, ID: aws.ToString(started.Id), Created: aws.ToTime(started.CreatedAt),
		TaskDefinition: aws.ToString(started.TaskDefinition), Wants: c.toVerify(), Wait: s.Wait,
	}, true
}
