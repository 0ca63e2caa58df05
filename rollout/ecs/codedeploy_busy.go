package ecs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/shell"
)

// taskSetReader reads a service's task sets and what their tasks run.
type taskSetReader interface {
	serviceDescriber
	taskReader
}

// Prepare checks, before anything is changed, whether CodeDeploy can deploy the
// service: whether it has a deployment group and all that an AppSpec needs. It
// takes one or two read calls. With another controller than CODE_DEPLOY it
// takes none and returns nil.
//
// Errors: *GroupError; an error for a service without a load balancer.
func Prepare(ctx context.Context, codeDeploy groupFinder, s Service) error {
	if s.Controller != types.DeploymentControllerTypeCodeDeploy {
		return nil
	}
	_, err := prepare(ctx, codeDeploy, s)
	return err
}

func prepare(ctx context.Context, codeDeploy groupFinder, s Service) (group, error) {
	if _, err := appSpec(s, s.Definition.ARN); err != nil {
		return group{}, err
	}
	return findGroup(ctx, codeDeploy, s)
}

// Busy checks, before anything is changed, whether CodeDeploy would refuse a
// change because it is deploying other images to the service. A deployment
// under way that brings the desired images is not an error: Deploy returns that
// one. It takes the calls of Prepare and one or two more, and four for a
// deployment under way, all of which read; none for another controller than
// CODE_DEPLOY and a change that leaves the service alone.
//
// Errors: *BusyError, and those of Prepare.
func Busy(ctx context.Context, client taskSetReader, codeDeploy codeDeployer, c Change) error {
	if c.Action == Leave || c.Service.Controller != types.DeploymentControllerTypeCodeDeploy {
		return nil
	}
	g, err := prepare(ctx, codeDeploy, c.Service)
	if err != nil {
		return err
	}
	_, err = g.joinDeployment(ctx, client, codeDeploy, c)
	return err
}

// joinDeployment returns the deployment of the group that is under way if it
// brings the images of the change, nil if there is none, and a *BusyError if it
// brings others.
func (g group) joinDeployment(ctx context.Context, client taskSetReader, codeDeploy codeDeployer, c Change) (*Deployment, error) {
	info, err := g.underWay(ctx, codeDeploy, c.Service)
	if err != nil || info == nil {
		return nil, err
	}
	id := aws.ToString(info.DeploymentId)
	set, err := taskSetOf(ctx, client, c.Service.Ref, id)
	if err != nil {
		return nil, err
	}
	d := Deployment{Service: c.Service, ID: id, TaskDefinition: aws.ToString(set.TaskDefinition), Wants: c.toVerify()}
	same, err := c.isDeployedBy(ctx, client, info, set)
	if err != nil {
		return nil, err
	}
	if !same {
		return nil, &BusyError{Ref: c.Service.Ref, Application: g.application, Group: g.name, Deployment: id, Err: errUnderWay}
	}
	d.Wait = shiftTime(ctx, codeDeploy, info)
	return &d, nil
}

var errUnderWay = errors.New("it deploys other images, or its images are not known yet")

// deploymentDescription returns the description of a change's CodeDeploy
// deployment. It is the same for the same images of the same containers, so
// that a deployment can be recognized from its first second, when it has
// neither a task set nor tasks yet.
func (c Change) deploymentDescription() string {
	sum := sha256.New()
	for _, container := range sortedKeys(c.Wants) {
		fmt.Fprintln(sum, container, c.Wants[container].DigestOrImage())
	}
	return fmt.Sprintf("slipway, images %x", sum.Sum(nil)[:16])
}

// isDeployedBy reports whether a deployment brings the desired images: by its
// description, or by the images that all running tasks of its task set run.
func (c Change) isDeployedBy(ctx context.Context, client taskReader, info *codedeploytypes.DeploymentInfo, set types.TaskSet) (bool, error) {
	if aws.ToString(info.Description) == c.deploymentDescription() {
		return true, nil
	}
	d := Deployment{Wants: c.toVerify()}
	if set.Id == nil || len(d.Wants) == 0 || len(d.Wants) < len(c.Wants) {
		return false, nil
	}
	tasks, err := readTasks(ctx, client, c.Service, allPages)
	if err != nil {
		return false, fmt.Errorf("reading ECS service %s: %w", c.Service.Ref, err)
	}
	tasks = startedBy(tasks, *set.Id)
	return len(tasks) > 0 && d.Differences(tasks, nil) == "", nil
}

// inProgress are the statuses of a deployment that has not ended.
var inProgress = []codedeploytypes.DeploymentStatus{
	codedeploytypes.DeploymentStatusCreated, codedeploytypes.DeploymentStatusQueued, codedeploytypes.DeploymentStatusInProgress,
	codedeploytypes.DeploymentStatusBaking, codedeploytypes.DeploymentStatusReady,
}

// underWay returns the deployment of the group that has not ended, nil where
// there is none. A group has at most one. Where listing is refused, the
// deployments that the task sets name are asked.
func (g group) underWay(ctx context.Context, client codeDeployer, s Service) (*codedeploytypes.DeploymentInfo, error) {
	var ids []string
	in := &codedeploy.ListDeploymentsInput{ApplicationName: &g.application, DeploymentGroupName: &g.name, IncludeOnlyStatuses: inProgress}
	err := awsclient.EachPage("CodeDeploy ListDeployments", func(token *string) (*string, error) {
		in.NextToken = token
		out, err := client.ListDeployments(ctx, in)
		if err != nil {
			return nil, err
		}
		ids = append(ids, out.Deployments...)
		return out.NextToken, nil
	})
	switch {
	case err != nil && awsclient.Denied(err):
		ids = madeBy(s.Raw)
	case err != nil:
		return nil, fmt.Errorf("listing the deployments of CodeDeploy group %s: %w", g.name, err)
	}
	for _, id := range ids {
		out, err := client.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
		if gone := new(codedeploytypes.DeploymentDoesNotExistException); errors.As(err, &gone) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading CodeDeploy deployment %s: %w", id, err)
		}
		if out.DeploymentInfo == nil {
			return nil, awsclient.Incomplete("CodeDeploy", "GetDeployment", "deployment "+id)
		}
		if isUnderWay(out.DeploymentInfo) {
			return out.DeploymentInfo, nil
		}
	}
	return nil, nil
}

func isUnderWay(info *codedeploytypes.DeploymentInfo) bool {
	if info == nil {
		return false
	}
	switch info.Status {
	case codedeploytypes.DeploymentStatusSucceeded, codedeploytypes.DeploymentStatusFailed, codedeploytypes.DeploymentStatusStopped:
		return false
	default:
		return true
	}
}

// taskSetOf returns the task set that a CodeDeploy deployment has made, as the
// service is now; empty where it has made none yet.
func taskSetOf(ctx context.Context, client serviceDescriber, ref Ref, deployment string) (types.TaskSet, error) {
	described, err := DescribeServices(ctx, client, []Ref{ref})
	if err != nil {
		return types.TaskSet{}, err
	}
	for _, set := range described[ref].TaskSets {
		if aws.ToString(set.ExternalId) == deployment {
			return set, nil
		}
	}
	return types.TaskSet{}, nil
}

// BusyError is the error for a CodeDeploy deployment group that has a
// deployment under way: it allows one at a time.
type BusyError struct {
	Ref
	Application, Group string
	// Deployment is the id of the one under way; empty where it is not known.
	Deployment string
	// Err is CodeDeploy's own error, which names the deployment, or what was
	// found.
	Err error
}

// Error names the service and the group.
func (e *BusyError) Error() string {
	which := "a deployment"
	if e.Deployment != "" {
		which = "deployment " + e.Deployment
	}
	return fmt.Sprintf("CodeDeploy group %s of application %s has %s under way and allows one deployment at a time: %v", e.Group, e.Application, which, e.Err)
}

// Unwrap returns CodeDeploy's own error.
func (e *BusyError) Unwrap() error { return e.Err }

// Kind returns fault.AWS.
func (e *BusyError) Kind() fault.Kind { return fault.AWS }

// Hint says what to do about the deployment under way.
func (e *BusyError) Hint() string {
	id := "d-…"
	if e.Deployment != "" {
		id = shell.Word(e.Deployment)
	}
	return "wait until it ends, which includes the time before the old tasks are stopped, or stop it with `aws deploy stop-deployment --auto-rollback-enabled --deployment-id " + id + "`"
}
