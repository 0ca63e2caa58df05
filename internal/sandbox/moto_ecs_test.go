package sandbox_test

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ecsContract compares what stays when all is steady, for moto's services are
// so at once.
func ecsContract() []step {
	shop, web := aws.String("shop"), aws.String("web")
	register := func(ctx context.Context, side imitation, tag string) (any, error) {
		return side.ecs.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: web, RequiresCompatibilities: []types.Compatibility{types.CompatibilityEc2}, NetworkMode: types.NetworkModeBridge,
			Cpu: aws.String("256"), Memory: aws.String("512"), ExecutionRoleArn: aws.String("arn:aws:iam::" + motoAccount + ":role/execution"),
			Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
			ContainerDefinitions: []types.ContainerDefinition{{
				Name: web, Image: aws.String("registry.example.com/web:" + tag), Essential: aws.Bool(true),
				Environment:  []types.KeyValuePair{{Name: aws.String("COLOUR"), Value: aws.String("red")}},
				PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(80), HostPort: aws.Int32(80), Protocol: types.TransportProtocolTcp}},
			}},
		})
	}
	describe := func(ctx context.Context, side imitation) (any, error) {
		return side.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: shop, Services: []string{*web}, Include: []types.ServiceField{types.ServiceFieldTags}})
	}
	arn := func(resource string) *string {
		return aws.String("arn:aws:ecs:us-east-1:" + motoAccount + ":" + resource)
	}
	const steady = 10 * time.Minute
	return []step{
		{name: "create cluster", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: shop, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}}})
		}},
		{name: "describe clusters", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{*shop, "none"}})
		}},
		{name: "list clusters", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.ListClusters(ctx, &ecs.ListClustersInput{})
		}},
		{name: "register task definition", call: func(ctx context.Context, side imitation) (any, error) { return register(ctx, side, "one") }},
		{name: "register task definition again", call: func(ctx context.Context, side imitation) (any, error) { return register(ctx, side, "two") }},
		{name: "register third task definition", call: func(ctx context.Context, side imitation) (any, error) { return register(ctx, side, "three") }},
		{name: "describe task definition by family", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: web, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})
		}},
		{name: "describe task definition by revision", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("web:1")})
		}},
		{name: "describe missing task definition", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("none:1")})
		}},
		{name: "deregister task definition", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("web:3")})
		}},
		{name: "list task definitions", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{FamilyPrefix: web})
		}},
		{name: "create service", call: func(ctx context.Context, side imitation) (any, error) {
			_, err := side.ecs.CreateService(ctx, &ecs.CreateServiceInput{
				Cluster: shop, ServiceName: web, TaskDefinition: aws.String("web:1"), DesiredCount: aws.Int32(2), LaunchType: types.LaunchTypeEc2,
				Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
			})
			return nil, err
		}},
		{name: "create service in a missing cluster", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.CreateService(ctx, &ecs.CreateServiceInput{Cluster: aws.String("none"), ServiceName: web, TaskDefinition: web, DesiredCount: aws.Int32(1)})
		}},
		{name: "create service of a missing task definition", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.CreateService(ctx, &ecs.CreateServiceInput{Cluster: shop, ServiceName: aws.String("other"), TaskDefinition: aws.String("none"), DesiredCount: aws.Int32(1)})
		}},
		{name: "describe service", settle: steady, call: describe},
		{name: "update service", call: func(ctx context.Context, side imitation) (any, error) {
			_, err := side.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: shop, Service: web, TaskDefinition: aws.String("web:2"), DesiredCount: aws.Int32(1)})
			return nil, err
		}},
		{name: "describe updated service", settle: steady, call: describe},
		{name: "update missing service", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: shop, Service: aws.String("none"), DesiredCount: aws.Int32(1)})
		}},
		{name: "update service in a missing cluster", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String("none"), Service: web, DesiredCount: aws.Int32(1)})
		}},
		{name: "describe missing service", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: shop, Services: []string{"none"}})
		}},
		{name: "describe services of a missing cluster", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String("none"), Services: []string{*web}})
		}},
		{name: "list services", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.ListServices(ctx, &ecs.ListServicesInput{Cluster: shop})
		}},
		{name: "list tasks of a missing cluster", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: aws.String("none")})
		}},
		{name: "describe missing task", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: shop, Tasks: []string{"00000000000000000000000000000000"}})
		}},
		{name: "tag service", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: arn("service/shop/web"), Tags: []types.Tag{{Key: aws.String("slipway:desired-count"), Value: aws.String("2")}}})
		}},
		{name: "tags of service", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.ListTagsForResource(ctx, &ecs.ListTagsForResourceInput{ResourceArn: arn("service/shop/web")})
		}},
		{name: "untag service", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.UntagResource(ctx, &ecs.UntagResourceInput{ResourceArn: arn("service/shop/web"), TagKeys: []string{"team"}})
		}},
		{name: "tags left", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.ListTagsForResource(ctx, &ecs.ListTagsForResourceInput{ResourceArn: arn("service/shop/web")})
		}},
		{name: "delete running service", call: func(ctx context.Context, side imitation) (any, error) {
			_, err := side.ecs.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: shop, Service: web})
			return nil, err
		}},
		{name: "scale down", call: func(ctx context.Context, side imitation) (any, error) {
			_, err := side.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: shop, Service: web, DesiredCount: aws.Int32(0)})
			return nil, err
		}},
		{name: "describe service at rest", settle: steady, call: func(ctx context.Context, side imitation) (any, error) {
			out, err := side.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: shop, Services: []string{*web}})
			if err != nil {
				return nil, err
			}
			s := out.Services[0]
			return map[string]any{"Desired": s.DesiredCount, "Running": s.RunningCount, "Pending": s.PendingCount}, nil
		}},
		{name: "delete service", call: func(ctx context.Context, side imitation) (any, error) {
			_, err := side.ecs.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: shop, Service: web})
			return nil, err
		}},
		{name: "describe deleted service", settle: steady, call: func(ctx context.Context, side imitation) (any, error) {
			out, err := side.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: shop, Services: []string{*web}})
			if err != nil {
				return nil, err
			}
			return map[string]any{"Status": out.Services[0].Status}, nil
		}},
		{name: "update deleted service", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: shop, Service: web, DesiredCount: aws.Int32(1)})
		}},
		{name: "delete cluster", call: func(ctx context.Context, side imitation) (any, error) {
			out, err := side.ecs.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: shop})
			if err != nil {
				return nil, err
			}
			return map[string]any{"Name": out.Cluster.ClusterName, "Status": out.Cluster.Status}, nil
		}},
		{name: "delete missing cluster", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecs.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: aws.String("none")})
		}},
	}
}

var ecsDifferences = []difference{
	{"create cluster", "Cluster.Settings[].*", "moto shows containerInsights though it is off; the sandbox shows the settings that were given"},
	{"describe clusters", "Clusters[].Settings[].*", "the same; by the reference DescribeClusters shows them with include SETTINGS only"},
	{"register *", "Tags[].*", "moto leaves the tags out, which the reference of RegisterTaskDefinition has in its answer"},
	{"*task definition*", "TaskDefinition.Compatibilities[]", "without Fargate's demands a definition fits ECS Anywhere (EXTERNAL) as well"},
	{"*task definition*", "TaskDefinition.RegisteredAt", "moto does not know it"},
	{"*task definition*", "TaskDefinition.RegisteredBy", "moto does not know it"},
	{"*task definition*", "TaskDefinition.RequiresAttributes[].Name", "moto does not know it"},
	{"deregister task definition", "TaskDefinition.DeregisteredAt", "moto does not know it"},
	{"describe*service", "Services[].CreatedAt", "moto does not know it"},
	{"describe*service", "Services[].CreatedBy", "moto does not know it"},
	{"describe*service", "Services[].CurrentService*", "moto has no service deployments"},
	{"describe*service", "Services[].DeploymentConfiguration.*", "moto shows the argument, ECS the defaults too"},
	{"describe*service", "Services[].Events[].*", "moto has no events"},
	{"describe service", "Services[].RunningCount", "moto begins tasks only when the service is updated"},
	{"describe service", "Services[].PendingCount", "moto begins tasks only when the service is updated"},
	{"describe*service", "Services[].Deployments[].*Count", "moto's deployments stay as they began"},
	{"describe*service", "Services[].Deployments[].RolloutState*", "moto's deployments never end"},
	{"describe*service", "Services[].Deployments[].PlatformFamily", "it belongs to Fargate, says the reference, and this service is not on it"},
	{"describe updated service", "Services[].Deployments[].TaskDefinition", "moto makes no new deployment"},
	{"describe updated service", "Services[].TaskDefinition", "moto shows the argument, ECS the ARN"},
	{"describe missing service", "Failures[].Arn", "moto writes the ARN of a service without its cluster, as ECS did before 2021"},
	{"describe missing task", "Failures[].*", "moto is silent on tasks that it does not have"},
	{"update deleted service", "*", "moto updates it; the reference has ServiceNotActiveException for it"},
}
