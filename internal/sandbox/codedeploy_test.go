package sandbox_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// blueGreen is a service web in a cluster shop, behind a load balancer and
// driven by CodeDeploy, whose deployment group is web/web.
type blueGreen struct {
	*testing.T
	s  *sandbox.Server
	cd *codedeploy.Client
	// ecs is the same sandbox's.
	ecs *ecs.Client
}

func startBlueGreen(t *testing.T, events ...types.AutoRollbackEvent) blueGreen {
	t.Helper()
	s := testkit.StartSandbox(t, sandbox.Options{})
	b := blueGreen{t, s,
		codedeploy.NewFromConfig(testkit.AWSConfig(s.URL())),
		ecs.NewFromConfig(testkit.AWSConfig(s.URL())),
	}
	if _, err := b.ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("shop")}); err != nil {
		t.Fatal(err)
	}
	b.service("web", ecstypes.DeploymentControllerTypeCodeDeploy)
	if _, err := b.cd.CreateApplication(t.Context(), &codedeploy.CreateApplicationInput{ApplicationName: aws.String("web"), ComputePlatform: types.ComputePlatformEcs}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.cd.CreateDeploymentGroup(t.Context(), group(events...)); err != nil {
		t.Fatal(err)
	}
	b.pass(10 * time.Minute)
	return b
}

func group(events ...types.AutoRollbackEvent) *codedeploy.CreateDeploymentGroupInput {
	return &codedeploy.CreateDeploymentGroupInput{
		ApplicationName: aws.String("web"), DeploymentGroupName: aws.String("web"), ServiceRoleArn: aws.String("arn:aws:iam::000000000000:role/deploy"),
		EcsServices:               []types.ECSService{{ClusterName: aws.String("shop"), ServiceName: aws.String("web")}},
		AutoRollbackConfiguration: &types.AutoRollbackConfiguration{Enabled: len(events) > 0, Events: events},
		DeploymentStyle:           &types.DeploymentStyle{DeploymentType: types.DeploymentTypeBlueGreen, DeploymentOption: types.DeploymentOptionWithTrafficControl},
		BlueGreenDeploymentConfiguration: &types.BlueGreenDeploymentConfiguration{
			DeploymentReadyOption:                     &types.DeploymentReadyOption{ActionOnTimeout: types.DeploymentReadyActionContinueDeployment},
			TerminateBlueInstancesOnDeploymentSuccess: &types.BlueInstanceTerminationOption{Action: types.InstanceActionTerminate, TerminationWaitTimeInMinutes: 30},
		},
		LoadBalancerInfo: &types.LoadBalancerInfo{TargetGroupPairInfoList: []types.TargetGroupPairInfo{{TargetGroups: []types.TargetGroupInfo{{Name: aws.String("blue")}, {Name: aws.String("green")}}}}},
	}
}

// service makes a service of two tasks.
func (b blueGreen) service(name string, controller ecstypes.DeploymentControllerType) {
	b.Helper()
	group := "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/blue/1"
	b.s.SetTargetGroup(group, sandbox.TargetGroup{})
	_, err := b.ecs.CreateService(b.Context(), &ecs.CreateServiceInput{
		Cluster: aws.String("shop"), ServiceName: &name, DesiredCount: aws.Int32(2), TaskDefinition: aws.String(b.register("v1")),
		LaunchType: ecstypes.LaunchTypeFargate, DeploymentController: &ecstypes.DeploymentController{Type: controller},
		NetworkConfiguration: &ecstypes.NetworkConfiguration{AwsvpcConfiguration: &ecstypes.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
		LoadBalancers: []ecstypes.LoadBalancer{{
			ContainerName: aws.String("web"), ContainerPort: aws.Int32(80), TargetGroupArn: &group,
		}},
	})
	if err != nil {
		b.Fatal(err)
	}
}

// register registers a task definition whose container web runs an image from
// elsewhere, and returns its ARN.
func (b blueGreen) register(tag string, env ...ecstypes.KeyValuePair) string {
	b.Helper()
	out, err := b.ecs.RegisterTaskDefinition(b.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("web"), RequiresCompatibilities: []ecstypes.Compatibility{ecstypes.CompatibilityFargate}, NetworkMode: ecstypes.NetworkModeAwsvpc,
		Cpu: aws.String("256"), Memory: aws.String("512"),
		ContainerDefinitions: []ecstypes.ContainerDefinition{{
			Name: aws.String("web"), Image: aws.String("registry.example.com/web:" + tag), Environment: env, Essential: aws.Bool(true),
			PortMappings: []ecstypes.PortMapping{{ContainerPort: aws.Int32(80)}},
		}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return *out.TaskDefinition.TaskDefinitionArn
}

// pass lets time pass in steps, as a client that looks now and then.
func (b blueGreen) pass(d time.Duration) {
	b.Helper()
	for range 10 {
		b.s.Advance(d / 10)
		b.sets()
	}
}

const spec = `{"version":0.0,"Resources":[{"TargetService":{"Type":"AWS::ECS::Service","Properties":{"TaskDefinition":"%s","LoadBalancerInfo":{"ContainerName":"web","ContainerPort":80}}}}]}`

func deployIn(content string) *codedeploy.CreateDeploymentInput {
	return &codedeploy.CreateDeploymentInput{
		ApplicationName: aws.String("web"), DeploymentGroupName: aws.String("web"),
		Revision: &types.RevisionLocation{RevisionType: types.RevisionLocationTypeAppSpecContent, AppSpecContent: &types.AppSpecContent{Content: &content}},
	}
}

func (b blueGreen) deploy(definition string) string {
	b.Helper()
	out, err := b.cd.CreateDeployment(b.Context(), deployIn(fmt.Sprintf(spec, definition)))
	if err != nil {
		b.Fatal(err)
	}
	return *out.DeploymentId
}

func (b blueGreen) get(id string) *types.DeploymentInfo {
	b.Helper()
	out, err := b.cd.GetDeployment(b.Context(), &codedeploy.GetDeploymentInput{DeploymentId: &id})
	if err != nil {
		b.Fatal(err)
	}
	return out.DeploymentInfo
}

// sets describes the service's task sets: status, definition, external id.
func (b blueGreen) sets() []string {
	b.Helper()
	out, err := b.ecs.DescribeTaskSets(b.Context(), &ecs.DescribeTaskSetsInput{Cluster: aws.String("shop"), Service: aws.String("web")})
	if err != nil {
		b.Fatal(err)
	}
	var sets []string
	for _, set := range out.TaskSets {
		definition := *set.TaskDefinition
		sets = append(sets, fmt.Sprintf("%s %s %d/%d by %s", *set.Status, definition[strings.LastIndexByte(definition, '/')+1:],
			set.RunningCount, set.ComputedDesiredCount, cmp.Or(aws.ToString(set.ExternalId), "none")))
	}
	slices.Sort(sets)
	return sets
}

func (b blueGreen) wantSets(want ...string) {
	b.Helper()
	if got := b.sets(); !slices.Equal(got, want) {
		b.Errorf("task sets are %q, want %q", got, want)
	}
}

func (b blueGreen) wantStatus(id string, want types.DeploymentStatus) *types.DeploymentInfo {
	b.Helper()
	info := b.get(id)
	if info.Status != want {
		b.Errorf("deployment %s is %s (%v), want %s", id, info.Status, aws.ToString((*cmp.Or(info.ErrorInformation, &types.ErrorInformation{})).Message), want)
	}
	return info
}

func TestBlueGreenDeployment(t *testing.T) {
	b := startBlueGreen(t)
	b.wantSets("PRIMARY web:1 2/2 by none")
	id := b.deploy(b.register("v2"))
	b.wantStatus(id, types.DeploymentStatusCreated)

	b.s.Advance(3 * time.Second)
	b.wantStatus(id, types.DeploymentStatusInProgress)
	b.wantSets("ACTIVE web:2 0/2 by "+id, "PRIMARY web:1 2/2 by none")

	b.pass(10 * time.Minute)
	info := b.wantStatus(id, types.DeploymentStatusInProgress)
	if !info.InstanceTerminationWaitTimeStarted {
		t.Error("the wait for the end of the old task set has not started")
	}
	b.wantSets("ACTIVE web:1 2/2 by none", "PRIMARY web:2 2/2 by "+id)

	b.pass(40 * time.Minute)
	info = b.wantStatus(id, types.DeploymentStatusSucceeded)
	b.wantSets("PRIMARY web:2 2/2 by " + id)
	if info.Creator != types.DeploymentCreatorUser || info.CompleteTime == nil || info.DeploymentOverview.Succeeded != 1 {
		t.Errorf("deployment is %+v", info)
	}
	if info.Revision.AppSpecContent.Content != nil || len(aws.ToString(info.Revision.AppSpecContent.Sha256)) != 64 {
		t.Errorf("revision is %+v, want the hash without the content", info.Revision.AppSpecContent)
	}
	groups, err := b.cd.BatchGetDeploymentGroups(t.Context(), &codedeploy.BatchGetDeploymentGroupsInput{ApplicationName: aws.String("web"), DeploymentGroupNames: []string{"web", "other"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(groups.DeploymentGroupsInfo) != 1 || aws.ToString(groups.DeploymentGroupsInfo[0].LastSuccessfulDeployment.DeploymentId) != id || !strings.Contains(aws.ToString(groups.ErrorMessage), "other") {
		t.Errorf("groups are %+v, %s", groups.DeploymentGroupsInfo, aws.ToString(groups.ErrorMessage))
	}
}

var crash = ecstypes.KeyValuePair{Name: aws.String("SLIPWAY_SANDBOX_EXIT"), Value: aws.String("1")}

// CodeDeploy waits an hour for a task set that does not come up.
func TestBlueGreenThatCrashes(t *testing.T) {
	t.Run("rolled back", func(t *testing.T) {
		b := startBlueGreen(t, types.AutoRollbackEventDeploymentFailure)
		id := b.deploy(b.register("v2", crash))
		b.pass(55 * time.Minute)
		b.wantStatus(id, types.DeploymentStatusInProgress)
		b.pass(10 * time.Minute)
		info := b.wantStatus(id, types.DeploymentStatusFailed)
		if info.ErrorInformation == nil || info.ErrorInformation.Code != types.ErrorCodeTimeout || info.RollbackInfo == nil {
			t.Fatalf("failed with %+v, rollback %+v", info.ErrorInformation, info.RollbackInfo)
		}
		back := b.wantStatus(aws.ToString(info.RollbackInfo.RollbackDeploymentId), types.DeploymentStatusSucceeded)
		if back.Creator != types.DeploymentCreatorCodeDeployRollback || back.RollbackInfo == nil || aws.ToString(back.RollbackInfo.RollbackTriggeringDeploymentId) != id {
			t.Errorf("rollback is %+v, %+v", back, back.RollbackInfo)
		}
		b.wantSets("PRIMARY web:1 2/2 by none")
	})
	t.Run("left alone", func(t *testing.T) {
		b := startBlueGreen(t)
		id := b.deploy(b.register("v2", crash))
		b.pass(65 * time.Minute)
		if info := b.wantStatus(id, types.DeploymentStatusFailed); info.RollbackInfo != nil {
			t.Errorf("rolled back: %+v", info.RollbackInfo)
		}
		if sets := b.sets(); len(sets) != 2 {
			t.Errorf("task sets are %q, want the failing one still there", sets)
		}
		// The next deployment removes the failing task set.
		next := b.deploy(b.register("v3"))
		b.pass(50 * time.Minute)
		b.wantStatus(next, types.DeploymentStatusSucceeded)
		b.wantSets("PRIMARY web:3 2/2 by " + next)
	})
}

func TestStopBlueGreen(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration
		back  *bool
		sets  int
	}{
		{"before the traffic, going back", 5 * time.Second, aws.Bool(true), 1},
		{"after the traffic, going back", 10 * time.Minute, aws.Bool(true), 1},
		{"before the traffic, staying", 5 * time.Second, aws.Bool(false), 2},
		{"as the group says", 5 * time.Second, nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := startBlueGreen(t, types.AutoRollbackEventDeploymentStopOnRequest)
			id := b.deploy(b.register("v2"))
			b.pass(test.after)
			if _, err := b.cd.StopDeployment(t.Context(), &codedeploy.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: test.back}); err != nil {
				t.Fatal(err)
			}
			info := b.wantStatus(id, types.DeploymentStatusStopped)
			b.pass(10 * time.Minute)
			if test.sets == 2 {
				if sets := b.sets(); info.RollbackInfo != nil || len(sets) != 2 {
					t.Errorf("rollback %+v, task sets %q", info.RollbackInfo, sets)
				}
				return
			}
			if info.RollbackInfo == nil {
				t.Fatal("no rollback")
			}
			b.wantStatus(*info.RollbackInfo.RollbackDeploymentId, types.DeploymentStatusSucceeded)
			b.wantSets("PRIMARY web:1 2/2 by none")
			_, err := b.cd.StopDeployment(t.Context(), &codedeploy.StopDeploymentInput{DeploymentId: &id})
			wantCode(t, err, "DeploymentAlreadyCompletedException")
		})
	}
}

// What ECS refuses fails the deployment, not the call.
func TestBlueGreenThatECSRefuses(t *testing.T) {
	b := startBlueGreen(t)
	gone := b.register("v2")
	if _, err := b.ecs.DeregisterTaskDefinition(t.Context(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &gone}); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"inactive":        fmt.Sprintf(spec, gone),
		"other container": strings.Replace(fmt.Sprintf(spec, b.register("v3")), `"web"`, `"nope"`, 1),
		"other port":      strings.Replace(fmt.Sprintf(spec, b.register("v3")), `80`, `81`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			out, err := b.cd.CreateDeployment(t.Context(), deployIn(content))
			if err != nil {
				t.Fatal(err)
			}
			b.s.Advance(5 * time.Second)
			info := b.wantStatus(*out.DeploymentId, types.DeploymentStatusFailed)
			if info.ErrorInformation == nil || info.ErrorInformation.Code != types.ErrorCodeEcsUpdateError {
				t.Errorf("failed with %+v", info.ErrorInformation)
			}
			b.wantSets("PRIMARY web:1 2/2 by none")
		})
	}
}

func TestOneBlueGreenAtATime(t *testing.T) {
	b := startBlueGreen(t)
	first := b.deploy(b.register("v2"))
	_, err := b.cd.CreateDeployment(t.Context(), deployIn(fmt.Sprintf(spec, b.register("v3"))))
	wantCode(t, err, "DeploymentLimitExceededException")
	if err == nil || !strings.Contains(err.Error(), first) {
		t.Errorf("%v does not name %s", err, first)
	}
	b.pass(time.Hour)
	second := b.deploy(b.register("v3"))
	b.pass(time.Hour)
	list := func(in codedeploy.ListDeploymentsInput) []string {
		t.Helper()
		out, err := b.cd.ListDeployments(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		return out.Deployments
	}
	if got := list(codedeploy.ListDeploymentsInput{}); !slices.Equal(got, []string{second, first}) {
		t.Errorf("deployments are %v, want %s, %s", got, second, first)
	}
	if got := list(codedeploy.ListDeploymentsInput{ApplicationName: aws.String("web"), DeploymentGroupName: aws.String("web"), IncludeOnlyStatuses: []types.DeploymentStatus{types.DeploymentStatusFailed}}); len(got) != 0 {
		t.Errorf("failed deployments are %v, want none", got)
	}
	created := b.get(second).CreateTime
	if got := list(codedeploy.ListDeploymentsInput{CreateTimeRange: &types.TimeRange{Start: created}}); !slices.Equal(got, []string{second}) {
		t.Errorf("since the second there were %v", got)
	}
}

func TestTrafficThatTakesTime(t *testing.T) {
	b := startBlueGreen(t)
	in := deployIn(fmt.Sprintf(spec, b.register("v2")))
	in.DeploymentConfigName = aws.String("CodeDeployDefault.ECSCanary10Percent15Minutes")
	out, err := b.cd.CreateDeployment(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	b.pass(10 * time.Minute)
	b.wantSets("ACTIVE web:2 2/2 by "+*out.DeploymentId, "PRIMARY web:1 2/2 by none")
	b.pass(10 * time.Minute)
	b.wantSets("ACTIVE web:1 2/2 by none", "PRIMARY web:2 2/2 by "+*out.DeploymentId)
}

func TestCodeDeployErrors(t *testing.T) {
	b := startBlueGreen(t)
	b.service("rolling", ecstypes.DeploymentControllerTypeEcs)
	b.service("other", ecstypes.DeploymentControllerTypeCodeDeploy)
	newGroup := func(change func(*codedeploy.CreateDeploymentGroupInput)) error {
		in := group()
		in.DeploymentGroupName, in.EcsServices[0].ServiceName = aws.String("new"), aws.String("other")
		change(in)
		_, err := b.cd.CreateDeploymentGroup(t.Context(), in)
		return err
	}
	deploy := func(change func(*codedeploy.CreateDeploymentInput)) error {
		in := deployIn(fmt.Sprintf(spec, b.register("v2")))
		change(in)
		_, err := b.cd.CreateDeployment(t.Context(), in)
		return err
	}
	for name, test := range map[string]struct {
		err  error
		code string
	}{
		"application there": {func() error {
			_, err := b.cd.CreateApplication(t.Context(), &codedeploy.CreateApplicationInput{ApplicationName: aws.String("web"), ComputePlatform: types.ComputePlatformEcs})
			return err
		}(), "ApplicationAlreadyExistsException"},
		"server application": {func() error {
			_, err := b.cd.CreateApplication(t.Context(), &codedeploy.CreateApplicationInput{ApplicationName: aws.String("ec2"), ComputePlatform: types.ComputePlatformServer})
			return err
		}(), "InvalidComputePlatformException"},
		"no application": {newGroup(func(in *codedeploy.CreateDeploymentGroupInput) { in.ApplicationName = aws.String("nope") }), "ApplicationDoesNotExistException"},
		"group there":    {newGroup(func(in *codedeploy.CreateDeploymentGroupInput) { in.DeploymentGroupName = aws.String("web") }), "DeploymentGroupAlreadyExistsException"},
		"service taken":  {newGroup(func(in *codedeploy.CreateDeploymentGroupInput) { in.EcsServices[0].ServiceName = aws.String("web") }), "ECSServiceMappingLimitExceededException"},
		"service of ECS": {newGroup(func(in *codedeploy.CreateDeploymentGroupInput) { in.EcsServices[0].ServiceName = aws.String("rolling") }), "InvalidECSServiceException"},
		"no service":     {newGroup(func(in *codedeploy.CreateDeploymentGroupInput) { in.EcsServices[0].ServiceName = aws.String("nope") }), "InvalidECSServiceException"},
		"in place":       {newGroup(func(in *codedeploy.CreateDeploymentGroupInput) { in.DeploymentStyle = nil }), "InvalidDeploymentStyleException"},
		"no balancer":    {newGroup(func(in *codedeploy.CreateDeploymentGroupInput) { in.LoadBalancerInfo = nil }), "InvalidLoadBalancerInfoException"},
		"no blue":        {newGroup(func(in *codedeploy.CreateDeploymentGroupInput) { in.BlueGreenDeploymentConfiguration = nil }), "InvalidBlueGreenDeploymentConfigurationException"},
		"config":         {newGroup(func(in *codedeploy.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.String("mine") }), "DeploymentConfigDoesNotExistException"},
		"no group":       {deploy(func(in *codedeploy.CreateDeploymentInput) { in.DeploymentGroupName = aws.String("nope") }), "DeploymentGroupDoesNotExistException"},
		"no revision":    {deploy(func(in *codedeploy.CreateDeploymentInput) { in.Revision = nil }), "RevisionRequiredException"},
		"S3 revision":    {deploy(func(in *codedeploy.CreateDeploymentInput) { in.Revision.RevisionType = types.RevisionLocationTypeS3 }), "InvalidRevisionException"},
		"hash":           {deploy(func(in *codedeploy.CreateDeploymentInput) { in.Revision.AppSpecContent.Sha256 = aws.String("00") }), "InvalidRevisionException"},
		"no deployment": {func() error {
			_, err := b.cd.GetDeployment(t.Context(), &codedeploy.GetDeploymentInput{DeploymentId: aws.String("d-NOPE12345")})
			return err
		}(), "DeploymentDoesNotExistException"},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, test.err, test.code) })
	}
}

// The record of calls names the object of each.
func TestCallsAreNamed(t *testing.T) {
	b := startBlueGreen(t)
	id := b.deploy(b.register("v2"))
	b.get(id)
	logged(t, logsClient(b.s), "x")
	var named []string
	for _, call := range b.s.Calls() {
		if call.Service == "codedeploy" || call.Service == "logs" {
			named = append(named, call.Action+" "+call.Reference)
		}
	}
	want := []string{
		"CreateApplication web", "CreateDeploymentGroup web", "CreateDeployment web", "GetDeployment " + id,
		"CreateLogGroup /ecs/web", "CreateLogStream web/one", "PutLogEvents web/one",
	}
	if !slices.Equal(named, want) {
		t.Errorf("calls are %q, want %q", named, want)
	}
}

func TestCodeDeployConfigs(t *testing.T) {
	b := startBlueGreen(t)
	for name, want := range map[string]string{
		"ECSAllAtOnce":                    "AllAtOnce 0 0",
		"ECSCanary10Percent15Minutes":     "TimeBasedCanary 10 15",
		"ECSLinear10PercentEvery3Minutes": "TimeBasedLinear 10 3",
	} {
		out, err := b.cd.GetDeploymentConfig(t.Context(), &codedeploy.GetDeploymentConfigInput{DeploymentConfigName: aws.String("CodeDeployDefault." + name)})
		if err != nil {
			t.Fatal(err)
		}
		r := out.DeploymentConfigInfo.TrafficRoutingConfig
		canary, linear := cmp.Or(r.TimeBasedCanary, &types.TimeBasedCanary{}), cmp.Or(r.TimeBasedLinear, &types.TimeBasedLinear{})
		got := fmt.Sprint(r.Type, " ", canary.CanaryPercentage+linear.LinearPercentage, " ", canary.CanaryInterval+linear.LinearInterval)
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	_, err := b.cd.GetDeploymentConfig(t.Context(), &codedeploy.GetDeploymentConfigInput{DeploymentConfigName: aws.String("mine")})
	if !errors.As(err, new(*types.DeploymentConfigDoesNotExistException)) {
		t.Errorf("error %v", err)
	}
}
