// Package create derives the request that creates an ECS service, from the compose file's
// settings and the outputs of a stack. It is pure.
//
// These settings are for the creation only: Slipway never changes them afterwards.
package create

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
	"slipway/rollout/task"
	"slipway/stack/outputs"
)

// grace is the time in seconds after its start in which a task may fail the health checks
// of a load balancer.
const grace = 60

// unsaid are the settings if the compose file says nothing of them.
var unsaid = task.Create{DesiredCount: 1, MinimumHealthyPercent: 100, MaximumPercent: 200}

// Request returns the request that creates an ECS service in a cluster, without its task
// definition and client token. Both names may be ARNs. An error of the kind fault.Usage
// names the missing output.
func Request(cluster, service string, d task.Definition, o outputs.Outputs) (*ecs.CreateServiceInput, error) {
	network, err := o.Network()
	if err != nil {
		return nil, err
	}
	bounds := d.Create
	if bounds == (task.Create{}) { // of an earlier version's file
		bounds = unsaid
	}
	in := &ecs.CreateServiceInput{
		ServiceName: aws.String(awsname.LastPart(service)), DesiredCount: aws.Int32(int32(bounds.DesiredCount)),
		LaunchType: types.LaunchTypeFargate, PlatformVersion: aws.String("LATEST"), SchedulingStrategy: types.SchedulingStrategyReplica,
		DeploymentController: &types.DeploymentController{Type: types.DeploymentControllerTypeEcs},
		DeploymentConfiguration: &types.DeploymentConfiguration{
			MinimumHealthyPercent: aws.Int32(int32(bounds.MinimumHealthyPercent)), MaximumPercent: aws.Int32(int32(bounds.MaximumPercent)),
			DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true},
		},
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: network.Subnets, SecurityGroups: network.SecurityGroups, AssignPublicIp: types.AssignPublicIp(network.AssignPublicIP),
		}},
		EnableECSManagedTags: true, PropagateTags: types.PropagateTagsService,
	}
	if cluster != "" {
		in.Cluster = &cluster
	}
	if bounds.MaximumPercent <= 100 {
		// Rebalancing starts a task before it stops one ("Balancing an Amazon ECS
		// service across Availability Zones" in the ECS developer guide).
		in.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingDisabled
	}
	return in, receive(in, d, o)
}

// receive lets the entry of a task receive requests. A task without one has no ports.
func receive(in *ecs.CreateServiceInput, d task.Definition, o outputs.Outputs) error {
	if d.Entry == nil {
		return nil
	}
	endpoint, err := o.Endpoint(aws.ToString(in.ServiceName))
	if err != nil {
		return err
	}
	container, port := aws.String(d.Entry.Container), aws.Int32(int32(d.Entry.Port))
	if endpoint.Registry != "" {
		in.ServiceRegistries = []types.ServiceRegistry{{RegistryArn: &endpoint.Registry, ContainerName: container, ContainerPort: port}}
		return nil
	}
	in.LoadBalancers = []types.LoadBalancer{{TargetGroupArn: &endpoint.TargetGroup, ContainerName: container, ContainerPort: port}}
	in.HealthCheckGracePeriodSeconds = aws.Int32(grace)
	return nil
}

// With returns the request with a task definition and the client token: equal requests have
// equal tokens, so that ECS creates one service however often it is asked. before stands
// for a deleted service of the same name; empty if there was none.
func With(in *ecs.CreateServiceInput, definition, before string) (*ecs.CreateServiceInput, error) {
	out := *in
	out.TaskDefinition, out.ClientToken = &definition, nil
	text, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("writing the request for ECS service %s as JSON: %w", aws.ToString(in.ServiceName), err)
	}
	sum := sha256.Sum256(append(text, before...))
	// At most 36 characters ("CreateService" in the API reference).
	out.ClientToken = aws.String(hex.EncodeToString(sum[:16]))
	return &out, nil
}

// Lines are the settings of a request for people.
func Lines(in *ecs.CreateServiceInput) []string {
	vpc := in.NetworkConfiguration.AwsvpcConfiguration
	d := in.DeploymentConfiguration
	out := []string{
		fmt.Sprintf("desired count %d, during a deployment %d to %d percent of it", aws.ToInt32(in.DesiredCount), aws.ToInt32(d.MinimumHealthyPercent), aws.ToInt32(d.MaximumPercent)),
		fmt.Sprintf("subnets %s, security groups %s, public IP address %s", strings.Join(vpc.Subnets, " "), strings.Join(vpc.SecurityGroups, " "), strings.ToLower(string(vpc.AssignPublicIp))),
	}
	for _, lb := range in.LoadBalancers {
		out = append(out, fmt.Sprintf("container %s, port %d, behind target group %s", aws.ToString(lb.ContainerName), aws.ToInt32(lb.ContainerPort), aws.ToString(lb.TargetGroupArn)))
	}
	for _, r := range in.ServiceRegistries {
		out = append(out, fmt.Sprintf("container %s, port %d, in Cloud Map service %s", aws.ToString(r.ContainerName), aws.ToInt32(r.ContainerPort), aws.ToString(r.RegistryArn)))
	}
	return out
}

// Notes are the settings of an ECS service that are others than those of the compose file,
// for people. There are none if the compose file says nothing of them.
func Notes(want task.Create, have types.Service) []string {
	if want == (task.Create{}) || want == unsaid {
		return nil
	}
	var out []string
	note := func(name string, want, have int) {
		if want != have {
			out = append(out, fmt.Sprintf("%s %d, in the compose file %d: it is set when the service is created", name, have, want))
		}
	}
	note("desired count", want.DesiredCount, int(have.DesiredCount))
	if d := have.DeploymentConfiguration; d != nil {
		note("minimumHealthyPercent", want.MinimumHealthyPercent, int(aws.ToInt32(d.MinimumHealthyPercent)))
		note("maximumPercent", want.MaximumPercent, int(aws.ToInt32(d.MaximumPercent)))
	}
	return out
}
