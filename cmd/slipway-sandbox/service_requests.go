package main

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cdtypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// learn takes the account and partition from an ARN.
func (p *servicePlan) learn(arn string) {
	parts := strings.SplitN(arn, ":", 6)
	p.partition, p.account = parts[1], parts[4]
}

// arn is a made-up one, of something that the sandbox does not have.
func (p servicePlan) arn(service, resource string) *string {
	region := p.region
	if service == "iam" {
		region = ""
	}
	return aws.String(strings.Join([]string{"arn", p.partition, service, region, p.account, resource}, ":"))
}

func (p servicePlan) definition() *ecs.RegisterTaskDefinitionInput {
	in := &ecs.RegisterTaskDefinitionInput{
		Family:                  &p.service,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		NetworkMode:             types.NetworkModeAwsvpc,
		Cpu:                     aws.String("256"),
		Memory:                  aws.String("512"),
		ExecutionRoleArn:        p.arn("iam", "role/ecsTaskExecutionRole"),
	}
	for _, c := range p.containers {
		in.ContainerDefinitions = append(in.ContainerDefinitions, p.containerDefinition(c))
	}
	return in
}

func (p servicePlan) containerDefinition(c plannedContainer) types.ContainerDefinition {
	out := types.ContainerDefinition{
		Name: &c.name, Image: aws.String(c.image.name + c.image.suffix), Essential: aws.Bool(true), Environment: c.env, PortMappings: c.ports,
	}
	if c.healthCheck != "" {
		out.HealthCheck = &types.HealthCheck{
			Command: []string{"CMD-SHELL", c.healthCheck}, Interval: aws.Int32(5), Timeout: aws.Int32(2), Retries: aws.Int32(3),
		}
	}
	if p.logGroup != "" {
		out.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
			"awslogs-group": p.logGroup, "awslogs-region": p.region, "awslogs-stream-prefix": p.service,
		}}
	}
	return out
}

func (p servicePlan) network() *types.NetworkConfiguration {
	return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
		Subnets: []string{"subnet-00000000000000001"}, SecurityGroups: []string{"sg-00000000000000001"}, AssignPublicIp: types.AssignPublicIpEnabled,
	}}
}

func (p servicePlan) targetGroup(colour string) *string {
	return p.arn("elasticloadbalancing", "targetgroup/"+p.service+"-"+colour+"/0000000000000001")
}

func (p servicePlan) listener() *string {
	return p.arn("elasticloadbalancing", "listener/app/"+p.service+"/0000000000000001/0000000000000002")
}

func (p servicePlan) loadBalancers() []types.LoadBalancer {
	if p.balanced == nil {
		return nil
	}
	lb := types.LoadBalancer{TargetGroupArn: p.targetGroup("blue"), ContainerName: &p.balanced.container, ContainerPort: &p.balanced.port}
	if p.strategy != types.DeploymentStrategyRolling {
		lb.AdvancedConfiguration = &types.AdvancedConfiguration{
			AlternateTargetGroupArn: p.targetGroup("green"),
			ProductionListenerRule:  p.arn("elasticloadbalancing", "listener-rule/app/"+p.service+"/0000000000000001/0000000000000002/0000000000000003"),
			RoleArn:                 p.arn("iam", "role/ecsInfrastructureRole"),
		}
	}
	return []types.LoadBalancer{lb}
}

func (p servicePlan) deployment() *types.DeploymentConfiguration {
	if p.controller != types.DeploymentControllerTypeEcs {
		return nil
	}
	return &types.DeploymentConfiguration{Strategy: p.strategy, DeploymentCircuitBreaker: &p.breaker}
}

func (p servicePlan) create(definition string) *ecs.CreateServiceInput {
	in := &ecs.CreateServiceInput{
		Cluster: &p.cluster, ServiceName: &p.service, DesiredCount: &p.desired,
		DeploymentController: &types.DeploymentController{Type: p.controller}, DeploymentConfiguration: p.deployment(),
	}
	// With EXTERNAL all of this belongs to the task set.
	if p.controller != types.DeploymentControllerTypeExternal {
		in.TaskDefinition = &definition
		in.LaunchType = types.LaunchTypeFargate
		in.NetworkConfiguration = p.network()
		in.LoadBalancers = p.loadBalancers()
	}
	return in
}

func (p servicePlan) update(definition string) *ecs.UpdateServiceInput {
	return &ecs.UpdateServiceInput{
		Cluster: &p.cluster, Service: &p.service, TaskDefinition: &definition, DesiredCount: &p.desired,
		DeploymentConfiguration: p.deployment(), LoadBalancers: p.loadBalancers(),
	}
}

func (p servicePlan) taskSet(definition string) *ecs.CreateTaskSetInput {
	return &ecs.CreateTaskSetInput{
		Cluster: &p.cluster, Service: &p.service, TaskDefinition: &definition, LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: p.network(), LoadBalancers: p.loadBalancers(),
		Scale: &types.Scale{Unit: types.ScaleUnitPercent, Value: 100},
	}
}

func (p servicePlan) application() *codedeploy.CreateApplicationInput {
	return &codedeploy.CreateApplicationInput{
		ApplicationName: aws.String("AppECS-" + p.cluster + "-" + p.service), ComputePlatform: cdtypes.ComputePlatformEcs,
	}
}

func (p servicePlan) group() *codedeploy.CreateDeploymentGroupInput {
	return &codedeploy.CreateDeploymentGroupInput{
		ApplicationName:      p.application().ApplicationName,
		DeploymentGroupName:  aws.String("DgpECS-" + p.cluster + "-" + p.service),
		ServiceRoleArn:       p.arn("iam", "role/ecsCodeDeployRole"),
		DeploymentConfigName: aws.String("CodeDeployDefault.ECSAllAtOnce"),
		EcsServices:          []cdtypes.ECSService{{ClusterName: &p.cluster, ServiceName: &p.service}},
		AutoRollbackConfiguration: &cdtypes.AutoRollbackConfiguration{Enabled: p.breaker.Rollback, Events: []cdtypes.AutoRollbackEvent{
			cdtypes.AutoRollbackEventDeploymentFailure, cdtypes.AutoRollbackEventDeploymentStopOnRequest,
		}},
		DeploymentStyle: &cdtypes.DeploymentStyle{
			DeploymentType: cdtypes.DeploymentTypeBlueGreen, DeploymentOption: cdtypes.DeploymentOptionWithTrafficControl,
		},
		BlueGreenDeploymentConfiguration: &cdtypes.BlueGreenDeploymentConfiguration{
			DeploymentReadyOption: &cdtypes.DeploymentReadyOption{ActionOnTimeout: cdtypes.DeploymentReadyActionContinueDeployment},
			TerminateBlueInstancesOnDeploymentSuccess: &cdtypes.BlueInstanceTerminationOption{
				Action: cdtypes.InstanceActionTerminate, TerminationWaitTimeInMinutes: 5,
			},
		},
		LoadBalancerInfo: &cdtypes.LoadBalancerInfo{TargetGroupPairInfoList: []cdtypes.TargetGroupPairInfo{{
			TargetGroups:     []cdtypes.TargetGroupInfo{{Name: aws.String(p.service + "-blue")}, {Name: aws.String(p.service + "-green")}},
			ProdTrafficRoute: &cdtypes.TrafficRoute{ListenerArns: []string{*p.listener()}},
		}}},
	}
}
