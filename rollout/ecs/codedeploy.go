package ecs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/internal/fault"
)

type groupFinder interface {
	GetDeployment(context.Context, *codedeploy.GetDeploymentInput, ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentOutput, error)
	GetDeploymentGroup(context.Context, *codedeploy.GetDeploymentGroupInput, ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentGroupOutput, error)
}

type codeDeployer interface {
	groupFinder
	configReader
	codedeploy.ListDeploymentsAPIClient
	CreateDeployment(context.Context, *codedeploy.CreateDeploymentInput, ...func(*codedeploy.Options)) (*codedeploy.CreateDeploymentOutput, error)
}

// group is a CodeDeploy deployment group.
type group struct{ application, name string }

// deployByCodeDeploy does all that reads and can fail before it registers
// anything. A deployment under way that brings the same images is taken for the
// one to start: the command may have been given before, and a CreateDeployment
// whose answer got lost is repeated by the SDK and then refused for the sake of
// our own deployment.
func deployByCodeDeploy(ctx context.Context, client deployer, codeDeploy codeDeployer, c Change) (Deployment, error) {
	failed := func(err error) (Deployment, error) {
		return Deployment{}, &DeployError{Ref: c.Service.Ref, Err: err}
	}
	g, err := prepare(ctx, codeDeploy, c.Service)
	if err != nil {
		return failed(err)
	}
	if d, err := g.joinDeployment(ctx, client, codeDeploy, c); err != nil {
		return failed(err)
	} else if d != nil {
		return *d, nil
	}
	arn, err := c.registerDefinition(ctx, client)
	if err != nil {
		return failed(err)
	}
	spec, err := appSpec(c.Service, arn)
	if err != nil {
		return failed(err)
	}
	out, err := codeDeploy.CreateDeployment(ctx, g.deployment(c.deploymentDescription(), string(spec)))
	if busy := new(codedeploytypes.DeploymentLimitExceededException); errors.As(err, &busy) {
		d, joinErr := g.joinDeployment(ctx, client, codeDeploy, c)
		if d != nil {
			return *d, nil
		}
		busyErr := &BusyError{Ref: c.Service.Ref, Application: g.application, Group: g.name, Err: err}
		if other := new(BusyError); errors.As(joinErr, &other) {
			busyErr.Deployment = other.Deployment
		}
		err = busyErr
	}
	if err != nil {
		return Deployment{}, &DeployError{Ref: c.Service.Ref, Started: mayHaveStarted(err), TaskDefinition: arn, Err: err}
	}
	id := aws.ToString(out.DeploymentId)
	if id == "" {
		err := awsclient.Incomplete("CodeDeploy", "CreateDeployment", "the id of the deployment")
		return Deployment{}, &DeployError{Ref: c.Service.Ref, Started: true, TaskDefinition: arn, Err: err}
	}
	return Deployment{Service: c.Service, ID: id, TaskDefinition: arn, Wants: c.toVerify(), Wait: waitOf(ctx, codeDeploy, id)}, nil
}

func (g group) deployment(description, spec string) *codedeploy.CreateDeploymentInput {
	return &codedeploy.CreateDeploymentInput{
		ApplicationName: &g.application, DeploymentGroupName: &g.name, Description: &description,
		Revision: &codedeploytypes.RevisionLocation{
			RevisionType: codedeploytypes.RevisionLocationTypeAppSpecContent,
			AppSpecContent: &codedeploytypes.AppSpecContent{
				Content: &spec, Sha256: aws.String(fmt.Sprintf("%x", sha256.Sum256([]byte(spec)))),
			},
		},
	}
}

// findGroup finds out which deployment group deploys the service. A task set
// made by CodeDeploy names the deployment that made it (API reference, TaskSet,
// externalId), and that its group; this is one call as a rule. Otherwise the
// names that the ECS console gives are tried, and the group asked whether the
// service is its own.
func findGroup(ctx context.Context, client groupFinder, s Service) (group, error) {
	for _, id := range madeBy(s.Raw) {
		out, err := client.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
		if gone := new(codedeploytypes.DeploymentDoesNotExistException); errors.As(err, &gone) {
			continue // CodeDeploy keeps its deployments for a time only
		}
		if err != nil {
			return group{}, fmt.Errorf("reading CodeDeploy deployment %s: %w", id, err)
		}
		d := out.DeploymentInfo
		if d == nil {
			return group{}, awsclient.Incomplete("CodeDeploy", "GetDeployment", "deployment "+id)
		}
		return group{aws.ToString(d.ApplicationName), aws.ToString(d.DeploymentGroupName)}, nil
	}
	cluster, service := s.ShortNames()
	g := group{"AppECS-" + cluster + "-" + service, "DgpECS-" + cluster + "-" + service}
	out, err := client.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: &g.application, DeploymentGroupName: &g.name})
	switch {
	case noGroup(err):
		return group{}, &GroupError{Ref: s.Ref, Application: g.application, Group: g.name, Err: err}
	case err != nil:
		return group{}, fmt.Errorf("reading CodeDeploy deployment group %s: %w", g.name, err)
	case out.DeploymentGroupInfo == nil:
		return group{}, awsclient.Incomplete("CodeDeploy", "GetDeploymentGroup", "deployment group "+g.name)
	case !deploys(out.DeploymentGroupInfo, cluster, service):
		return group{}, &GroupError{Ref: s.Ref, Application: g.application, Group: g.name, Err: errOtherService}
	}
	return g, nil
}

// madeBy returns the CodeDeploy deployments that made the task sets, the
// serving one first.
func madeBy(raw types.Service) []string {
	var ids []string
	if p := PrimaryTaskSet(raw); p != nil && aws.ToString(p.ExternalId) != "" {
		ids = append(ids, *p.ExternalId)
	}
	for _, set := range raw.TaskSets {
		if id := aws.ToString(set.ExternalId); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func noGroup(err error) bool {
	var application *codedeploytypes.ApplicationDoesNotExistException
	var group *codedeploytypes.DeploymentGroupDoesNotExistException
	return errors.As(err, &application) || errors.As(err, &group)
}

func deploys(g *codedeploytypes.DeploymentGroupInfo, cluster, service string) bool {
	return g != nil && slices.ContainsFunc(g.EcsServices, func(s codedeploytypes.ECSService) bool {
		return awsname.LastPart(aws.ToString(s.ClusterName)) == cluster && awsname.LastPart(aws.ToString(s.ServiceName)) == service
	})
}

var errOtherService = errors.New("the group deploys another service")

// GroupError is the error for an ECS service whose CodeDeploy deployment group
// was not found.
type GroupError struct {
	Ref
	// Application and Group are the names that were tried last.
	Application, Group string
	Err                error
}

// Error names the service and what was tried.
func (e *GroupError) Error() string {
	return fmt.Sprintf("no CodeDeploy deployment group found for ECS service %s: its task sets name no deployment that CodeDeploy still knows; application %s, group %s: %v",
		e.Ref, e.Application, e.Group, e.Err)
}

// Unwrap returns CodeDeploy's answer.
func (e *GroupError) Unwrap() error { return e.Err }

// Kind returns fault.AWS.
func (e *GroupError) Kind() fault.Kind { return fault.AWS }

// Hint says how the group can be found.
func (e *GroupError) Hint() string {
	return "deploy the service with CodeDeploy once, so that its task set names the group, or call the application " + e.Application + " and the group " + e.Group
}
