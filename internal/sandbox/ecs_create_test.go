package sandbox_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"slipway/internal/sandbox"
)

const (
	targetGroupARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/shop/0123456789abcdef"
	registryARN    = "arn:aws:servicediscovery:us-east-1:000000000000:service/srv-shop"
)

// creation is a sandbox with a stack, and with the task definitions shop, for Fargate,
// and bridge.
func creation(t *testing.T) *ecsFixture {
	c := newECSFixture(t, sandbox.Options{})
	c.s.SetStack("shop", sandbox.Stack{Outputs: map[string]string{"TargetGroup": targetGroupARN, "Registry": registryARN}})
	for family, mode := range map[string]types.NetworkMode{"shop": types.NetworkModeAwsvpc, "bridge": types.NetworkModeBridge} {
		in := &ecs.RegisterTaskDefinitionInput{
			Family: &family, NetworkMode: mode, Cpu: aws.String("256"), Memory: aws.String("512"),
			ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("web"), Image: aws.String("docker.io/library/nginx"), PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(80)}}}},
		}
		if family == "shop" {
			in.RequiresCompatibilities = []types.Compatibility{types.CompatibilityFargate}
		}
		if _, err := c.ecs.RegisterTaskDefinition(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// request is a request of CreateService that is accepted.
func (c *ecsFixture) request(change ...func(*ecs.CreateServiceInput)) *ecs.CreateServiceInput {
	in := &ecs.CreateServiceInput{
		Cluster: aws.String("shop"), ServiceName: aws.String("shop"), TaskDefinition: aws.String("shop"), DesiredCount: aws.Int32(1),
		ClientToken: aws.String("0123456789abcdef"), LaunchType: types.LaunchTypeFargate, PlatformVersion: aws.String("LATEST"),
		NetworkConfiguration:          &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}, AssignPublicIp: types.AssignPublicIpEnabled}},
		LoadBalancers:                 []types.LoadBalancer{{TargetGroupArn: aws.String(targetGroupARN), ContainerName: aws.String("web"), ContainerPort: aws.Int32(80)}},
		HealthCheckGracePeriodSeconds: aws.Int32(60), PropagateTags: types.PropagateTagsTaskDefinition,
	}
	for _, f := range change {
		f(in)
	}
	return in
}

// registered moves a request from the load balancer to Cloud Map.
func registered(r types.ServiceRegistry) func(*ecs.CreateServiceInput) {
	r.RegistryArn = aws.String(registryARN)
	return func(in *ecs.CreateServiceInput) {
		in.LoadBalancers, in.HealthCheckGracePeriodSeconds, in.ServiceRegistries = nil, nil, []types.ServiceRegistry{r}
	}
}

func TestServicesThatECSRefuses(t *testing.T) {
	c := creation(t)
	other := "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/other/1"
	instances, alone, records := other+"1", other+"2", registryARN+"2"
	c.s.SetTargetGroup(instances, sandbox.TargetGroup{Type: "instance"})
	c.s.SetTargetGroup(alone, sandbox.TargetGroup{Unattached: true})
	c.s.SetRegistry(records, sandbox.Registry{Record: "A"})
	vpc := func(in *ecs.CreateServiceInput) *types.AwsVpcConfiguration {
		return in.NetworkConfiguration.AwsvpcConfiguration
	}
	for _, test := range []struct {
		code, message string
		change        func(in *ecs.CreateServiceInput)
	}{
		{"ClusterNotFoundException", "Cluster not found", func(in *ecs.CreateServiceInput) { in.Cluster = aws.String("missing") }},
		{"ClientException", "TaskDefinition not found", func(in *ecs.CreateServiceInput) { in.TaskDefinition = aws.String("missing") }},
		{"InvalidParameterException", other + " does not exist", func(in *ecs.CreateServiceInput) { in.LoadBalancers[0].TargetGroupArn = &other }},
		{"InvalidParameterException", alone + " does not have an associated load balancer", func(in *ecs.CreateServiceInput) { in.LoadBalancers[0].TargetGroupArn = &alone }},
		{"InvalidParameterException", "has target type instance, which is incompatible with the awsvpc", func(in *ecs.CreateServiceInput) { in.LoadBalancers[0].TargetGroupArn = &instances }},
		{"InvalidParameterException", "has target type ip, which is incompatible with the bridge", func(in *ecs.CreateServiceInput) {
			in.TaskDefinition, in.LaunchType, in.PlatformVersion, in.NetworkConfiguration = aws.String("bridge"), "", nil, nil
		}},
		{"InvalidParameterException", "The container api does not exist", func(in *ecs.CreateServiceInput) { in.LoadBalancers[0].ContainerName = aws.String("api") }},
		{"InvalidParameterException", "web did not have a container port 81", func(in *ecs.CreateServiceInput) { in.LoadBalancers[0].ContainerPort = aws.Int32(81) }},
		{"InvalidParameterException", "Network Configuration must be provided", func(in *ecs.CreateServiceInput) { in.NetworkConfiguration = nil }},
		{"InvalidParameterException", "Network Configuration is not valid", func(in *ecs.CreateServiceInput) { in.TaskDefinition = aws.String("bridge") }},
		{"InvalidParameterException", "subnets can not be empty", func(in *ecs.CreateServiceInput) { vpc(in).Subnets = []string{} }},
		{"InvalidParameterException", "Invalid assignPublicIp", func(in *ecs.CreateServiceInput) { vpc(in).AssignPublicIp = "YES" }},
		{"InvalidParameterException", "only valid for services configured to use load balancers", func(in *ecs.CreateServiceInput) { in.LoadBalancers = nil }},
		{"InvalidParameterException", "must not be negative", func(in *ecs.CreateServiceInput) { in.HealthCheckGracePeriodSeconds = aws.Int32(-1) }},
		{"InvalidParameterException", "platform version must be null", func(in *ecs.CreateServiceInput) { in.LaunchType = types.LaunchTypeEc2 }},
		{"InvalidParameterException", "Invalid launch type", func(in *ecs.CreateServiceInput) { in.LaunchType = "fargate" }},
		{"InvalidParameterException", "Invalid scheduling strategy", func(in *ecs.CreateServiceInput) { in.SchedulingStrategy = "GLOBAL" }},
		{"InvalidParameterException", "not supported on Fargate", func(in *ecs.CreateServiceInput) {
			in.SchedulingStrategy, in.DesiredCount = types.SchedulingStrategyDaemon, nil
		}},
		{"InvalidParameterException", "Invalid propagateTags", func(in *ecs.CreateServiceInput) { in.PropagateTags = "TASK" }},
		{"InvalidParameterException", "desired count is required", func(in *ecs.CreateServiceInput) { in.DesiredCount = nil }},
		{"InvalidParameterException", "maximumPercent must be greater", func(in *ecs.CreateServiceInput) {
			in.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(100), MaximumPercent: aws.Int32(100)}
		}},
		{"InvalidParameterException", "client token cannot be longer than 36", func(in *ecs.CreateServiceInput) { in.ClientToken = aws.String(strings.Repeat("x", 37)) }},
		{"InvalidParameterException", "combination or a 'port' value", registered(types.ServiceRegistry{})},
		{"InvalidParameterException", "combination or a 'port' value", registered(types.ServiceRegistry{ContainerName: aws.String("web"), ContainerPort: aws.Int32(80), Port: aws.Int32(80)})},
		{"InvalidParameterException", "did not have a container port 81", registered(types.ServiceRegistry{ContainerName: aws.String("web"), ContainerPort: aws.Int32(81)})},
		{"InvalidParameterException", "do not require a value for 'containerPort'", func(in *ecs.CreateServiceInput) {
			registered(types.ServiceRegistry{ContainerName: aws.String("web"), ContainerPort: aws.Int32(80)})(in)
			in.ServiceRegistries[0].RegistryArn = &records
		}},
		{"InvalidParameterException", "registry " + other + " does not exist", func(in *ecs.CreateServiceInput) {
			registered(types.ServiceRegistry{})(in)
			in.ServiceRegistries[0].RegistryArn = &other
		}},
		{"InvalidParameterException", "Multiple service registries", func(in *ecs.CreateServiceInput) {
			registered(types.ServiceRegistry{})(in)
			in.ServiceRegistries = append(in.ServiceRegistries, in.ServiceRegistries...)
		}},
	} {
		_, err := c.ecs.CreateService(t.Context(), c.request(test.change))
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != test.code || !strings.Contains(api.ErrorMessage(), test.message) {
			t.Errorf("got %v, want %s: …%s…", err, test.code, test.message)
		}
	}
	if got := c.statusOf("shop"); got != "" {
		t.Errorf("the service is %s, want none", got)
	}
}

// statusOf returns the status of a service, empty if there is none.
func (c *ecsFixture) statusOf(name string) string {
	c.Helper()
	out, err := c.ecs.DescribeServices(c.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("shop"), Services: []string{name}})
	if err != nil {
		c.Fatal(err)
	}
	if len(out.Services) == 0 {
		return ""
	}
	return aws.ToString(out.Services[0].Status)
}

// TestServiceIsCreatedOnce repeats requests: one with the same token and the same input
// is answered with the service, any other is refused until the service is gone.
func TestServiceIsCreatedOnce(t *testing.T) {
	c := creation(t)
	create := func(change ...func(*ecs.CreateServiceInput)) error {
		_, err := c.ecs.CreateService(t.Context(), c.request(change...))
		return err
	}
	more := func(in *ecs.CreateServiceInput) { in.DesiredCount = aws.Int32(2) }
	for range 2 {
		if err := create(); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(*ecs.CreateServiceInput){
		"another input": more,
		"another token": func(in *ecs.CreateServiceInput) { in.ClientToken = aws.String("other") },
		"no token":      func(in *ecs.CreateServiceInput) { in.ClientToken = nil },
	} {
		if err := create(change); err == nil || !strings.Contains(err.Error(), "Creation of service was not idempotent.") {
			t.Errorf("%s: got %v, want that it was not idempotent", name, err)
		}
	}
	c.wait()
	if _, err := c.ecs.DeleteService(t.Context(), &ecs.DeleteServiceInput{Cluster: aws.String("shop"), Service: aws.String("shop"), Force: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if err := create(); err == nil || !strings.Contains(err.Error(), "still Draining") {
		t.Errorf("while it drains: got %v", err)
	}
	c.s.Advance(10 * time.Minute)
	if got := c.statusOf("shop"); got != "INACTIVE" {
		t.Fatalf("the service is %s, want INACTIVE", got)
	}
	if err := create(more); err != nil {
		t.Errorf("after its end: %v", err)
	}
}

// TestServiceInCloudMap makes a service whose tasks are registered in Cloud Map.
func TestServiceInCloudMap(t *testing.T) {
	c := creation(t)
	out, err := c.ecs.CreateService(t.Context(), c.request(registered(types.ServiceRegistry{ContainerName: aws.String("web"), ContainerPort: aws.Int32(80)})))
	if err != nil || len(out.Service.ServiceRegistries) != 1 || aws.ToString(out.Service.ServiceRegistries[0].ContainerName) != "web" {
		t.Errorf("CreateService: %+v, %v", out, err)
	}
}
