package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/spf13/cobra"
)

func newService() *cobra.Command {
	var at endpoint
	var f serviceFlags
	c := &cobra.Command{
		Use:   "service",
		Short: "Make or update an ECS service on a running sandbox",
		Long: `service registers a task definition on a running sandbox and makes an ECS service
of it, the cluster too if it is missing; a service that is there is updated.

A container's image is a full reference, or the name of one of the sandbox's own
repositories (shop/web, shop/web:tag), for which the repository's URI is taken.
Without a tag it means latest, as ECS has it.

With the controller CODE_DEPLOY, a CodeDeploy application AppECS-CLUSTER-SERVICE
and a deployment group DgpECS-CLUSTER-SERVICE are made as well, named as the ECS
console names them. Such a service, and an EXTERNAL one, is not updated: it takes
task definitions from its controller only.`,
		Example: `  slipway-sandbox service --cluster shop --service shop \
    --container express=shop/express --container flask=shop/flask --desired 2 --wait 1m`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("service takes no arguments, got %q", args)}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			plan, err := f.plan(at.region)
			if err != nil {
				return usageError{err}
			}
			return runService(c.Context(), at.clients(), plan, c.OutOrStdout())
		},
	}
	at.flags(c)
	f.flags(c)
	return c
}

// serviceClients are the services that the command talks to.
type serviceClients struct {
	ecr        *ecr.Client
	ecs        *ecs.Client
	logs       *cloudwatchlogs.Client
	codedeploy *codedeploy.Client
	control    string // the URL of the control plane's host
}

func runService(ctx context.Context, c serviceClients, p servicePlan, out io.Writer) error {
	if err := c.resolveImages(ctx, &p); err != nil {
		return err
	}
	if err := c.ensureLogGroup(ctx, p.logGroup); err != nil {
		return err
	}
	cluster, err := c.ecs.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &p.cluster})
	if err != nil {
		return fmt.Errorf("cluster %s: %w", p.cluster, err)
	}
	p.learn(aws.ToString(cluster.Cluster.ClusterArn))
	old, err := c.find(ctx, p)
	if err != nil {
		return err
	}
	if err := p.canFollow(old); err != nil {
		return usageError{err}
	}
	definition, err := c.ecs.RegisterTaskDefinition(ctx, p.definition())
	if err != nil {
		return fmt.Errorf("task definition %s: %w", p.service, err)
	}
	did, arn := "updated", aws.ToString(definition.TaskDefinition.TaskDefinitionArn)
	if old == nil {
		did = "created"
		err = c.create(ctx, p, arn)
	} else {
		_, err = c.ecs.UpdateService(ctx, p.update(arn))
	}
	if err != nil {
		return fmt.Errorf("service %s/%s: %w", p.cluster, p.service, err)
	}
	if err := c.await(ctx, p, arn); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s %s/%s with %s:%d\n", did, p.cluster, p.service, p.service, definition.TaskDefinition.Revision)
	return err
}

// resolveImages turns bare repository names into the repositories' URIs.
func (c serviceClients) resolveImages(ctx context.Context, p *servicePlan) error {
	for i := range p.containers {
		image := &p.containers[i].image
		if image.full() {
			continue
		}
		out, err := c.ecr.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{image.name}})
		if err != nil {
			return fmt.Errorf("container %s: repository %s (an image from elsewhere needs its registry's name, as in docker.io/library/%[2]s): %w",
				p.containers[i].name, image.name, err)
		}
		image.name = aws.ToString(out.Repositories[0].RepositoryUri)
	}
	return nil
}

func (c serviceClients) ensureLogGroup(ctx context.Context, group string) error {
	if group == "" {
		return nil
	}
	_, err := c.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	var there *logtypes.ResourceAlreadyExistsException
	if err != nil && !errors.As(err, &there) {
		return fmt.Errorf("log group %s: %w", group, err)
	}
	return nil
}

// find returns nil if there is no such service.
func (c serviceClients) find(ctx context.Context, p servicePlan) (*types.Service, error) {
	out, err := c.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &p.cluster, Services: []string{p.service}})
	if err != nil {
		return nil, fmt.Errorf("looking for service %s/%s: %w", p.cluster, p.service, err)
	}
	if len(out.Services) == 0 || aws.ToString(out.Services[0].Status) == "INACTIVE" {
		return nil, nil
	}
	return &out.Services[0], nil
}

func (c serviceClients) create(ctx context.Context, p servicePlan, definition string) error {
	if err := c.targetGroups(ctx, p); err != nil {
		return err
	}
	if _, err := c.ecs.CreateService(ctx, p.create(definition)); err != nil {
		return err
	}
	switch p.controller {
	case types.DeploymentControllerTypeExternal:
		return c.primaryTaskSet(ctx, p, definition)
	case types.DeploymentControllerTypeCodeDeploy:
		return c.deploymentGroup(ctx, p)
	default:
		return nil
	}
}

// targetGroups makes the target groups of a service behind a load balancer.
func (c serviceClients) targetGroups(ctx context.Context, p servicePlan) error {
	for _, lb := range p.loadBalancers() {
		query := url.Values{"arn": {aws.ToString(lb.TargetGroupArn)}}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.control+"/_sandbox/target-group?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return fmt.Errorf("target group: %w", err)
		}
		_ = answer.Body.Close() // it is empty
		if answer.StatusCode != http.StatusNoContent {
			return fmt.Errorf("target group: %s", answer.Status)
		}
	}
	return nil
}

// primaryTaskSet does what the tool behind an EXTERNAL controller would.
func (c serviceClients) primaryTaskSet(ctx context.Context, p servicePlan, definition string) error {
	set, err := c.ecs.CreateTaskSet(ctx, p.taskSet(definition))
	if err != nil {
		return fmt.Errorf("task set: %w", err)
	}
	_, err = c.ecs.UpdateServicePrimaryTaskSet(ctx, &ecs.UpdateServicePrimaryTaskSetInput{
		Cluster: &p.cluster, Service: &p.service, PrimaryTaskSet: set.TaskSet.TaskSetArn,
	})
	if err != nil {
		return fmt.Errorf("primary task set: %w", err)
	}
	return nil
}

func (c serviceClients) deploymentGroup(ctx context.Context, p servicePlan) error {
	if _, err := c.codedeploy.CreateApplication(ctx, p.application()); err != nil {
		return fmt.Errorf("CodeDeploy application: %w", err)
	}
	if _, err := c.codedeploy.CreateDeploymentGroup(ctx, p.group()); err != nil {
		return fmt.Errorf("CodeDeploy deployment group: %w", err)
	}
	return nil
}

// await waits until the service runs a task definition, if the plan says so. The
// SDK's own waiter knows nothing of task sets, so that it never ends with
// CODE_DEPLOY, and is content with a service that was rolled back.
func (c serviceClients) await(ctx context.Context, p servicePlan, definition string) error {
	if p.wait == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.wait, fmt.Errorf("service %s/%s is not stable after %s", p.cluster, p.service, p.wait))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := c.find(ctx, p)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case s == nil:
			return fmt.Errorf("service %s/%s was deleted", p.cluster, p.service)
		case failed(*s) || stable(*s) && !at(*s, definition):
			return fmt.Errorf("service %s/%s: the deployment of %s failed: %s", p.cluster, p.service, last(definition), newest(*s))
		case stable(*s):
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stable tells whether a service runs what it wants and nothing is under way.
func stable(s types.Service) bool {
	if s.RunningCount != s.DesiredCount || s.PendingCount > 0 || len(s.Deployments) > 1 {
		return false
	}
	for _, d := range s.Deployments {
		if d.RolloutState == types.DeploymentRolloutStateInProgress {
			return false
		}
	}
	for _, set := range s.TaskSets {
		if set.StabilityStatus != types.StabilityStatusSteadyState {
			return false
		}
	}
	return true
}

func failed(s types.Service) bool {
	return len(s.Deployments) > 0 && s.Deployments[0].RolloutState == types.DeploymentRolloutStateFailed
}

// at tells whether a task definition is the one that a stable service runs. With
// EXTERNAL it is the task set's alone.
func at(s types.Service, definition string) bool {
	if len(s.TaskSets) > 0 {
		return aws.ToString(s.TaskSets[0].TaskDefinition) == definition
	}
	return aws.ToString(s.TaskDefinition) == definition
}

// newest is the last that ECS said about a service.
func newest(s types.Service) string {
	if len(s.Events) == 0 {
		return "no event has a reason"
	}
	return aws.ToString(s.Events[0].Message)
}
