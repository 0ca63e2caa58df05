package cmd

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cdtypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// ecsSandbox is a sandbox with images that nobody had to build, and ECS services that run
// them.
type ecsSandbox struct {
	aws        *sandbox.Server
	ecr        *ecr.Client
	ecs        *ecs.Client
	codeDeploy *codedeploy.Client
	host       string
}

// newECSSandbox connects to a sandbox. host is the registry's, as AWS names it.
func newECSSandbox(server *sandbox.Server, host string) *ecsSandbox {
	config := testkit.AWSConfig(server.URL())
	return &ecsSandbox{
		aws: server, host: host,
		ecr: ecr.NewFromConfig(config), ecs: ecs.NewFromConfig(config), codeDeploy: codedeploy.NewFromConfig(config),
	}
}

// pushImage pushes an image of a revision to a repository, which it makes, under the
// revision's name, and under latest too if asked. Labels tell the sandbox's ECS how its
// containers behave. Equal arguments make equal images.
func (f *ecsSandbox) pushImage(ctx context.Context, repository, revision string, latest bool, labels map[string]string) error {
	image, err := newImage(repository, revision, labels)
	if err != nil {
		return err
	}
	return f.push(ctx, repository, revision, latest, func(ref name.Reference, options ...remote.Option) error {
		return remote.Write(ref, image, options...)
	})
}

// pushIndex pushes an index with an image for linux/amd64, as pushImage does.
func (f *ecsSandbox) pushIndex(ctx context.Context, repository, revision string, latest bool) error {
	image, err := newImage(repository, revision, nil)
	if err != nil {
		return err
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
	})
	return f.push(ctx, repository, revision, latest, func(ref name.Reference, options ...remote.Option) error {
		return remote.WriteIndex(ref, index, options...)
	})
}

func newImage(repository, revision string, labels map[string]string) (v1.Image, error) {
	all := map[string]string{"repository": repository, "revision": revision}
	for k, v := range labels {
		all[k] = v
	}
	return mutate.ConfigFile(empty.Image, &v1.ConfigFile{Architecture: "amd64", OS: "linux", Config: v1.Config{Labels: all}})
}

func (f *ecsSandbox) push(ctx context.Context, repository, revision string, latest bool, write func(name.Reference, ...remote.Option) error) error {
	// That it is there already is what is wanted.
	_, _ = f.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String(repository)})
	tags := []string{revision}
	if latest {
		tags = append(tags, "latest")
	}
	for _, tag := range tags {
		ref, err := name.ParseReference(strings.TrimPrefix(f.aws.URL(), "http://")+"/"+repository+":"+tag, name.Insecure)
		if err != nil {
			return err
		}
		if err := write(ref, remote.WithContext(ctx), remote.WithAuth(f.login(ctx))); err != nil {
			return err
		}
	}
	return nil
}

func (f *ecsSandbox) login(ctx context.Context) authn.Authenticator {
	out, err := f.ecr.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil || len(out.AuthorizationData) == 0 {
		return authn.Anonymous
	}
	return authn.FromConfig(authn.AuthConfig{Auth: aws.ToString(out.AuthorizationData[0].AuthorizationToken)})
}

// image is a reference with the registry's host in front of shop/web:one; what has a
// host already stays.
func (f *ecsSandbox) image(s string) string {
	if host, _, ok := strings.Cut(s, "/"); !ok || strings.ContainsAny(host, ".:") {
		return s
	}
	return f.host + "/" + s
}

// ecsServiceFixture is an ECS service to make.
type ecsServiceFixture struct {
	cluster, service string
	// containers are name=image, in order.
	containers []string
	desired    int32
	// breaker is rollback, stop or off.
	breaker    string
	controller types.DeploymentControllerType
	strategy   types.DeploymentStrategy
	// healthy and most are the minimum healthy and the maximum percent.
	healthy, most int32
	// environment is for every container.
	environment map[string]string
	// hook is the lifecycle stage of a PAUSE hook; early is the percentage of healthy
	// tasks that is enough, old ones going later; 0 for none.
	hook  types.DeploymentLifecycleHookStage
	early int32
	// balanced puts the first container behind a load balancer.
	balanced bool
	// express has Express Mode make the service, whose container is Main.
	express bool
	// logged has the containers log to CloudWatch.
	logged bool
	// providers are those of the capacity provider strategy, each with the same weight;
	// none for the launch type FARGATE.
	providers []string
}

// executionRole is the role with which tasks of the fixtures start.
const executionRole = "arn:aws:iam::000000000000:role/ecsTaskExecutionRole"

// createService makes the service, its cluster and its execution role.
func (f *ecsSandbox) createService(ctx context.Context, b ecsServiceFixture) error {
	f.aws.SetRole(sandbox.Role{ARN: executionRole, Trusts: "ecs-tasks.amazonaws.com"})
	if _, err := f.ecs.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String(b.cluster), CapacityProviders: b.providers}); err != nil {
		return err
	}
	if b.express {
		_, image, _ := strings.Cut(b.containers[0], "=")
		_, err := f.ecs.CreateExpressGatewayService(ctx, &ecs.CreateExpressGatewayServiceInput{
			Cluster: &b.cluster, ServiceName: &b.service, PrimaryContainer: &types.ExpressGatewayContainer{Image: aws.String(f.image(image))},
			ExecutionRoleArn:      aws.String(executionRole),
			InfrastructureRoleArn: aws.String("arn:aws:iam::000000000000:role/ecsInfrastructureRoleForExpressServices"),
		})
		return err
	}
	def, err := f.ecs.RegisterTaskDefinition(ctx, f.definition(b))
	if err != nil {
		return err
	}
	in := &ecs.CreateServiceInput{
		Cluster: aws.String(b.cluster), ServiceName: aws.String(b.service), LaunchType: types.LaunchTypeFargate,
		TaskDefinition: def.TaskDefinition.TaskDefinitionArn, DesiredCount: aws.Int32(b.desired),
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
		DeploymentConfiguration: &types.DeploymentConfiguration{
			MinimumHealthyPercent:    aws.Int32(b.healthy),
			MaximumPercent:           aws.Int32(cmp.Or(b.most, 200)),
			DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: b.breaker != "off", Rollback: b.breaker == "rollback"},
			Strategy:                 b.strategy,
		},
	}
	if len(b.providers) > 0 {
		in.LaunchType, in.CapacityProviderStrategy = "", strategyOf(b.providers)
	}
	if b.hook != "" {
		in.DeploymentConfiguration.LifecycleHooks = []types.DeploymentLifecycleHook{{
			TargetType: types.DeploymentLifecycleHookTargetTypePause, LifecycleStages: []types.DeploymentLifecycleHookStage{b.hook},
		}}
	}
	if b.early > 0 {
		in.DeploymentConfiguration.EarlySuccessCriteria = &types.DeploymentEarlySuccessCriteria{
			Enable: true, HealthyPercent: &b.early, SourceServiceRevisionCleanup: types.ServiceRevisionCleanupDeferred,
		}
	}
	if b.controller != "" {
		in.DeploymentController = &types.DeploymentController{Type: b.controller}
		in.DeploymentConfiguration.DeploymentCircuitBreaker = nil
	}
	if b.balanced || b.controller == types.DeploymentControllerTypeCodeDeploy {
		container, _, _ := strings.Cut(b.containers[0], "=")
		group := "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/" + b.service + "-blue/1"
		f.aws.SetTargetGroup(group, sandbox.TargetGroup{})
		in.LoadBalancers = []types.LoadBalancer{{
			TargetGroupArn: &group,
			ContainerName:  &container, ContainerPort: aws.Int32(80),
		}}
	}
	if _, err = f.ecs.CreateService(ctx, in); err != nil || b.controller != types.DeploymentControllerTypeCodeDeploy {
		return err
	}
	return f.createDeploymentGroup(ctx, b)
}

// createDeploymentGroup makes what CodeDeploy needs to deploy a service, named as the ECS console
// names it.
func (f *ecsSandbox) createDeploymentGroup(ctx context.Context, b ecsServiceFixture) error {
	application := aws.String("AppECS-" + b.cluster + "-" + b.service)
	_, err := f.codeDeploy.CreateApplication(ctx, &codedeploy.CreateApplicationInput{ApplicationName: application, ComputePlatform: cdtypes.ComputePlatformEcs})
	if err != nil {
		return err
	}
	_, err = f.codeDeploy.CreateDeploymentGroup(ctx, &codedeploy.CreateDeploymentGroupInput{
		ApplicationName: application, DeploymentGroupName: aws.String("DgpECS-" + b.cluster + "-" + b.service),
		ServiceRoleArn:       aws.String("arn:aws:iam::000000000000:role/ecsCodeDeployRole"),
		DeploymentConfigName: aws.String("CodeDeployDefault.ECSAllAtOnce"),
		EcsServices:          []cdtypes.ECSService{{ClusterName: &b.cluster, ServiceName: &b.service}},
		AutoRollbackConfiguration: &cdtypes.AutoRollbackConfiguration{
			Enabled: b.breaker == "rollback", Events: []cdtypes.AutoRollbackEvent{cdtypes.AutoRollbackEventDeploymentFailure},
		},
		DeploymentStyle: &cdtypes.DeploymentStyle{
			DeploymentType: cdtypes.DeploymentTypeBlueGreen, DeploymentOption: cdtypes.DeploymentOptionWithTrafficControl,
		},
		BlueGreenDeploymentConfiguration: &cdtypes.BlueGreenDeploymentConfiguration{
			DeploymentReadyOption:                     &cdtypes.DeploymentReadyOption{ActionOnTimeout: cdtypes.DeploymentReadyActionContinueDeployment},
			TerminateBlueInstancesOnDeploymentSuccess: &cdtypes.BlueInstanceTerminationOption{Action: cdtypes.InstanceActionTerminate},
		},
		LoadBalancerInfo: &cdtypes.LoadBalancerInfo{TargetGroupPairInfoList: []cdtypes.TargetGroupPairInfo{{
			TargetGroups:     []cdtypes.TargetGroupInfo{{Name: aws.String(b.service + "-blue")}, {Name: aws.String(b.service + "-green")}},
			ProdTrafficRoute: &cdtypes.TrafficRoute{ListenerArns: []string{"arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/" + b.service + "/1/2"}},
		}}},
	})
	return err
}

func (f *ecsSandbox) definition(b ecsServiceFixture) *ecs.RegisterTaskDefinitionInput {
	def := &ecs.RegisterTaskDefinitionInput{
		Family: aws.String(b.service), NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
		ExecutionRoleArn:        aws.String(executionRole),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
	}
	for _, c := range b.containers {
		container, image, _ := strings.Cut(c, "=")
		cd := types.ContainerDefinition{
			Name: aws.String(container), Image: aws.String(f.image(image)), Essential: aws.Bool(true),
			PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(int32(80 + len(def.ContainerDefinitions)))}},
		}
		if b.logged {
			cd.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
				"awslogs-group": "/ecs/" + b.service, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs", "awslogs-create-group": "true",
			}}
		}
		for k, v := range b.environment {
			cd.Environment = append(cd.Environment, types.KeyValuePair{Name: aws.String(k), Value: aws.String(v)})
		}
		def.ContainerDefinitions = append(def.ContainerDefinitions, cd)
	}
	return def
}

// paused reports whether the newest deployment of a service waits at a PAUSE hook.
func (f *ecsSandbox) paused(ctx context.Context, cluster, service string) (bool, error) {
	list, err := f.ecs.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Cluster: &cluster, Service: &service})
	if err != nil || len(list.ServiceDeployments) == 0 {
		return false, err
	}
	out, err := f.ecs.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*list.ServiceDeployments[0].ServiceDeploymentArn}})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(out.ServiceDeployments[0].LifecycleHookDetails, func(h types.DeploymentLifecycleHookDetail) bool {
		return h.Status == types.DeploymentLifecycleHookStatusAwaitingAction
	}), nil
}

// protect puts the running tasks of a service under scale-in protection for some minutes,
// or with 0 ends it.
func (f *ecsSandbox) protect(ctx context.Context, cluster, service string, minutes int32) error {
	list, err := f.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &cluster, ServiceName: &service})
	if err != nil {
		return err
	}
	in := &ecs.UpdateTaskProtectionInput{Cluster: &cluster, Tasks: list.TaskArns, ProtectionEnabled: minutes > 0}
	if minutes > 0 {
		in.ExpiresInMinutes = &minutes
	}
	_, err = f.ecs.UpdateTaskProtection(ctx, in)
	return err
}

// runs are the digests that the running tasks of a service have, by container.
func (f *ecsSandbox) runs(ctx context.Context, cluster, service string) (map[string][]string, error) {
	out := map[string][]string{}
	pages := ecs.NewListTasksPaginator(f.ecs, &ecs.ListTasksInput{Cluster: aws.String(cluster), ServiceName: aws.String(service)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		if len(page.TaskArns) == 0 {
			break
		}
		tasks, err := f.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(cluster), Tasks: page.TaskArns})
		if err != nil {
			return nil, err
		}
		for _, task := range tasks.Tasks {
			for _, c := range task.Containers {
				out[aws.ToString(c.Name)] = append(out[aws.ToString(c.Name)], aws.ToString(c.ImageDigest))
			}
		}
	}
	return out, nil
}
