package ecs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway/internal/fault"
)

type serviceUpdater interface {
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

type deployer interface {
	definitionWriter
	serviceUpdater
	expressUpdater
	serviceCreator
	taskSetReader // with CodeDeploy only
}

// ErrNothingToDeploy is the error for a Change with the action Leave.
var ErrNothingToDeploy = errors.New("the service runs the desired images: there is nothing to deploy")

// Deploy starts the deployment of a change, with one call, or two where the
// task definition needs a new revision. A revision that was registered and then
// not deployed stays: it costs nothing, and a deregistered one could never be
// deployed.
//
// Another revision for a service of Express Mode is deployed with
// UpdateExpressGatewayService, whose deployment takes one more call to find.
//
// A service that does not exist is created: its first deployment is that of the
// creation.
//
// With the controller CODE_DEPLOY, two or three calls find the deployment group
// and a deployment under way. CodeDeploy then starts the deployment, and two
// more calls find how long it waits by itself. If a deployment under way
// already brings the desired images, Deploy returns that one and starts
// nothing.
//
// Errors: a *DeployError, which says whether the deployment may have started,
// and with CodeDeploy wraps a *GroupError or *BusyError; ErrNothingToDeploy.
func Deploy(ctx context.Context, client deployer, codeDeploy codeDeployer, c Change) (Deployment, error) {
	if c.Action == Leave {
		return Deployment{}, ErrNothingToDeploy
	}
	if c.Action == Create {
		return create(ctx, client, c)
	}
	if c.Service.Controller == types.DeploymentControllerTypeCodeDeploy {
		return deployByCodeDeploy(ctx, client, codeDeploy, c)
	}
	arn, err := c.registerDefinition(ctx, client)
	if err != nil {
		return Deployment{}, &DeployError{Ref: c.Service.Ref, Err: err}
	}
	if c.Action != Force && c.Service.Express() {
		return deployByExpress(ctx, client, c, arn)
	}
	in := &ecs.UpdateServiceInput{Cluster: c.Service.ClusterID(), Service: c.Service.ServiceID(), ForceNewDeployment: true}
	if c.Action != Force {
		in.TaskDefinition = &arn
	}
	out, err := client.UpdateService(ctx, in)
	if err != nil {
		return Deployment{}, &DeployError{Ref: c.Service.Ref, Started: mayHaveStarted(err), TaskDefinition: arn, Err: err}
	}
	d := Deployment{Service: c.Service, TaskDefinition: arn, Wants: c.toVerify(), Wait: c.Service.Wait}
	started, ok := newDeployment(c.Service.Raw, out.Service)
	if !ok {
		return Deployment{}, &DeployError{Ref: c.Service.Ref, Started: true, TaskDefinition: arn, Err: errNoDeployment}
	}
	d.ID, d.Created = aws.ToString(started.Id), aws.ToTime(started.CreatedAt)
	return d, nil
}

// Begun returns the deployment of a change that may have started
// (DeployError.Started): one that did not exist before. It reports false where
// there is none, and with CodeDeploy, where Deploy finds the deployment itself.
// It takes one call.
func Begun(ctx context.Context, client serviceDescriber, c Change) (Deployment, bool, error) {
	if c.Service.Controller == types.DeploymentControllerTypeCodeDeploy {
		return Deployment{}, false, nil
	}
	described, err := DescribeServices(ctx, client, []Ref{c.Service.Ref})
	if err != nil {
		return Deployment{}, false, err
	}
	now := described[c.Service.Ref]
	if c.Action == Create {
		d, ok := c.created(&now)
		return d, ok, nil
	}
	d, ok := newDeployment(c.Service.Raw, &now)
	if !ok || slices.ContainsFunc(c.Service.Raw.Deployments, func(b types.Deployment) bool { return aws.ToString(b.Id) == aws.ToString(d.Id) }) {
		return Deployment{}, false, nil
	}
	return Deployment{
		Service: c.Service, ID: aws.ToString(d.Id), Created: aws.ToTime(d.CreatedAt),
		TaskDefinition: aws.ToString(d.TaskDefinition), Wants: c.toVerify(), Wait: c.Service.Wait,
	}, true, nil
}

// registerDefinition returns the ARN of the task definition to deploy, after
// registering it where the change asks for that.
func (c Change) registerDefinition(ctx context.Context, client definitionWriter) (string, error) {
	switch c.Action {
	case Return:
		return c.Service.next().ARN, nil
	case Force:
		return c.Service.Definition.ARN, nil
	}
	next, err := c.Service.next().WithImages(c.Images)
	if err != nil {
		return "", err
	}
	return register(ctx, client, next)
}

var errNoDeployment = errors.New("the answer names no deployment")

// newDeployment returns the deployment that an update started: the PRIMARY one
// ("the most recent deployment of a service", API reference, Deployment), or if
// that was there before, the newest that was not.
func newDeployment(before types.Service, after *types.Service) (types.Deployment, bool) {
	if after == nil {
		return types.Deployment{}, false
	}
	candidates := slices.Clone(after.Deployments)
	slices.SortStableFunc(candidates, func(a, b types.Deployment) int {
		return aws.ToTime(b.CreatedAt).Compare(aws.ToTime(a.CreatedAt))
	})
	isNew := func(d types.Deployment) bool {
		return !slices.ContainsFunc(before.Deployments, func(b types.Deployment) bool { return aws.ToString(b.Id) == aws.ToString(d.Id) })
	}
	primary := func(d types.Deployment) bool { return aws.ToString(d.Status) == "PRIMARY" }
	for _, fits := range []func(types.Deployment) bool{
		func(d types.Deployment) bool { return primary(d) && isNew(d) }, isNew, primary,
	} {
		if i := slices.IndexFunc(candidates, fits); i >= 0 {
			return candidates[i], true
		}
	}
	return types.Deployment{}, false
}

// DeployError is the error for a deployment that could not be started, or may
// have started.
type DeployError struct {
	Ref
	// Started reports whether the deployment may have started: the connection
	// broke, time ran out or the server failed before it answered.
	Started bool
	// TaskDefinition is the ARN of the revision to deploy; empty when the error
	// came before it was registered.
	TaskDefinition string
	Err            error
}

// Error names the service, and says if the deployment may have started.
func (e *DeployError) Error() string {
	if e.Started {
		return fmt.Sprintf("deploying ECS service %s, which may have started: %v", e.Ref, e.Err)
	}
	return fmt.Sprintf("deploying ECS service %s: %v", e.Ref, e.Err)
}

// Unwrap returns what went wrong.
func (e *DeployError) Unwrap() error { return e.Err }

// Kind returns fault.AWS.
func (e *DeployError) Kind() fault.Kind { return fault.AWS }

// mayHaveStarted reports whether a write that ended with an error may have been
// carried out. It was not after a refusal (a 4xx answer), or where it was not
// sent. No answer at all has the status 0 with the SDK. A refusal after an
// earlier try that broke off, which the SDK repeated, counts as refused.
func mayHaveStarted(err error) bool {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) {
		status := answer.HTTPStatusCode()
		return status < http.StatusBadRequest || status >= http.StatusInternalServerError
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
