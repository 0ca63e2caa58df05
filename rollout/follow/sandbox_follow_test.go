package follow

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/awsname"
	"slipway/internal/sandbox"
	"slipway/rollout/ecs"
)

// pushWithLabels pushes an image whose containers behave as its labels say (see
// the sandbox).
func (h *ecsFixture) pushWithLabels(tag string, labels map[string]string) ecs.DesiredImage {
	h.t.Helper()
	image, err := random.Image(256, 1)
	if err != nil {
		h.t.Fatal(err)
	}
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{Architecture: "amd64", OS: "linux", Config: v1.Config{Labels: labels}})
	if err != nil {
		h.t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		h.t.Fatal(err)
	}
	ref, err := name.ParseReference(h.repository + ":" + tag)
	if err != nil {
		h.t.Fatal(err)
	}
	h.must(nil, remote.Write(ref, image, remote.WithAuth(h.auth)))
	return ecs.DesiredImage{Image: h.repository + ":" + tag, Digests: []string{digest.String()}}
}

// createLogging makes a service of one container that logs, with the circuit
// breaker on.
func (h *ecsFixture) createLogging(service, image string) ecs.Ref {
	h.t.Helper()
	logs := cloudwatchlogs.NewFromConfig(h.config)
	h.must(logs.CreateLogGroup(h.t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/ecs/" + service)}))
	h.must(h.ecs.RegisterTaskDefinition(h.t.Context(), &awsecs.RegisterTaskDefinitionInput{
		Family: &service,
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("web"), Image: &image, Memory: aws.Int32(128),
			LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
				"awslogs-group": "/ecs/" + service, "awslogs-region": h.config.Region, "awslogs-stream-prefix": "ecs",
			}},
		}},
	}))
	h.must(h.ecs.CreateService(h.t.Context(), &awsecs.CreateServiceInput{
		Cluster: aws.String("shop"), ServiceName: &service, TaskDefinition: &service, DesiredCount: aws.Int32(2),
		DeploymentConfiguration: &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}},
	}))
	h.advance(10 * time.Minute)
	return ecs.Ref{Cluster: "shop", Service: service}
}

// follow follows with the real clients; a minute of ECS is a fifth of a
// second.
func (h *ecsFixture) follow(ds ...ecs.Deployment) ([]Outcome, *progressRecorder) {
	h.t.Helper()
	return h.followAt(300, ds...)
}

func (h *ecsFixture) followAt(speed float64, ds ...ecs.Deployment) ([]Outcome, *progressRecorder) {
	h.t.Helper()
	h.must(nil, h.server.SetECSSpeed(speed))
	n := &progressRecorder{}
	return h.followAs(n.report, ds...), n
}

func (h *ecsFixture) followAs(report func(Progress), ds ...ecs.Deployment) []Outcome {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	return h.follower().Follow(ctx, ds, report)
}

func (h *ecsFixture) follower() Follower {
	return Follower{
		ECS: h.ecs, CodeDeploy: codedeploy.NewFromConfig(h.config), Logs: cloudwatchlogs.NewFromConfig(h.config),
		Poll: Pauses{First: 10 * time.Millisecond, Max: 30 * time.Millisecond}, Settle: 3 * time.Second,
	}
}

func TestFollowOnTheSandbox(t *testing.T) {
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			h := startFixture(t, sandbox.Options{ECS: q})
			first := h.push("a1")
			good, bad := h.createLogging("good", first.Image), h.createLogging("bad", first.Image)
			second := h.push("b2")
			broken := h.pushWithLabels("c3", map[string]string{
				"slipway.sandbox.exit": "3", "slipway.sandbox.exit-after": "2s", "slipway.sandbox.log": "starting\npanic: no DATABASE_URL",
			})
			outcomes, n := h.follow(h.deploy(good, second, ecs.Register), h.deploy(bad, broken, ecs.Register))
			wantOutcome(t, outcomes[0], Succeeded)
			if outcomes[0].Running["web"][second.Digests[0]] != 2 || outcomes[0].Deployment.ARN == "" {
				t.Errorf("good runs %v with deployment ARN %q, want 2 tasks with %s and an ARN", outcomes[0].Running, outcomes[0].Deployment.ARN, second.Digests[0])
			}
			wantOutcome(t, outcomes[1], RolledBack)
			if outcomes[1].Running["web"][first.Digests[0]] != 2 {
				t.Errorf("bad runs %v, want 2 tasks with %s", outcomes[1].Running, first.Digests[0])
			}
			d := outcomes[1].Diagnosis
			if !strings.Contains(d.Cause, "container web ended with code 3") || strings.Join(d.Log, "|") != "starting|panic: no DATABASE_URL" ||
				!strings.HasPrefix(d.Next, "aws logs tail /ecs/bad --log-stream-names ecs/web/") {
				t.Errorf("the diagnosis is\n%s\nnext: %s\nwant code 3, two log lines and the command that shows the log", strings.Join(d.Lines(), "\n"), d.Next)
			}
			reported := 0
			for _, g := range d.Groups {
				reported += g.Count
			}
			if reported != len(n.texts(Stopped)) || reported == 0 || d.Groups[0].Count < 3 {
				t.Errorf("groups %+v, reported %q", d.Groups, n.texts(Stopped))
			}
			// On a busy host the whole deployment may pass between two polls. That each
			// change of the counts is reported is for TestFollowSuccess to see.
			if len(n.texts(Event)) == 0 || len(n.texts(Counts)) == 0 {
				t.Errorf("reported %+v, want events and counts", n.list)
			}
			// Explain finds the same when it is asked afterwards.
			if again := h.follower().Explain(t.Context(), outcomes[1]); again.Cause != d.Cause || len(again.Groups) != len(d.Groups) {
				t.Errorf("explained: %s", strings.Join(again.Lines(), "\n"))
			}
			h.wantRunning(bad, first)
		})
	}
}

func TestFollowEndsOnTheSandbox(t *testing.T) {
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			h := startFixture(t, sandbox.Options{ECS: q})
			first := h.push("a1")
			stopped, replaced, lost, deleted := h.createLogging("stopped", first.Image), h.createLogging("replaced", first.Image), h.createLogging("lost", first.Image), h.createLogging("deleted", first.Image)
			second, third := h.push("b2"), h.push("c3")
			missing := ecs.DesiredImage{Image: h.repository + ":none", Digests: []string{digestA}}
			ds := []ecs.Deployment{h.deploy(stopped, second, ecs.Register), h.deploy(replaced, second, ecs.Register), h.deploy(lost, missing, ecs.Register), h.deploy(deleted, second, ecs.Register)}
			h.advance(5 * time.Second)
			h.must(nil, StopDeployment(t.Context(), h.ecs, nil, ds[0]))
			h.deploy(replaced, third, ecs.Register)
			h.must(h.ecs.DeleteService(t.Context(), &awsecs.DeleteServiceInput{Cluster: aws.String("shop"), Service: aws.String("deleted"), Force: aws.Bool(true)}))
			outcomes, _ := h.follow(ds...)
			wantOutcome(t, outcomes[0], RolledBack)
			wantOutcome(t, outcomes[1], Superseded, "it was replaced by deployment", "replaced:3")
			wantOutcome(t, outcomes[2], RolledBack)
			if cause := outcomes[2].Diagnosis.Cause; !strings.Contains(cause, "is not in the registry") {
				t.Errorf("cause %q of %+v", cause, outcomes[2].Diagnosis)
			}
			wantOutcome(t, outcomes[3], Failed, "the service was deleted")
		})
	}
}

// Old tasks under task protection are left to ECS when the time limit has
// passed; when the protection ends, so does the deployment.
func TestFollowProtectedOnTheSandbox(t *testing.T) {
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			h := startFixture(t, sandbox.Options{ECS: q})
			first := h.push("a1")
			ref := h.createLogging("web", first.Image)
			old, err := h.ecs.ListTasks(t.Context(), &awsecs.ListTasksInput{Cluster: aws.String("shop")})
			h.must(old, err)
			h.must(h.ecs.UpdateTaskProtection(t.Context(), &awsecs.UpdateTaskProtectionInput{
				Cluster: aws.String("shop"), Tasks: old.TaskArns, ProtectionEnabled: true, ExpiresInMinutes: aws.Int32(2880),
			}))
			second := h.push("b2")
			d := h.deploy(ref, second, ecs.Register)
			h.advance(3 * time.Minute)
			f := h.follower()
			f.Limit = 500 * time.Millisecond
			outcome := f.Follow(t.Context(), []ecs.Deployment{d}, nil)[0]
			wantOutcome(t, outcome, Succeeded, "ECS keeps old tasks under task protection: 2 tasks ("+awsname.LastPart(old.TaskArns[0])+" until ")
			h.advance(49 * time.Hour)
			outcomes, _ := h.follow(d)
			wantOutcome(t, outcomes[0], Succeeded)
			h.wantRunning(ref, second)
		})
	}
}

// The bake time of alarms does not count, and an alarm rolls back.
func TestFollowAlarmsOnTheSandbox(t *testing.T) {
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			h := startFixture(t, sandbox.Options{ECS: q})
			first := h.push("a1")
			ref := h.create("web", first.Image, func(in *awsecs.CreateServiceInput) {
				in.DeploymentConfiguration = &types.DeploymentConfiguration{Alarms: &types.DeploymentAlarms{Enable: true, Rollback: true, AlarmNames: []string{"errors"}}}
			})
			second, third := h.push("b2"), h.pushWithLabels("c3", map[string]string{"slipway.sandbox.alarm": "errors"})
			f := h.follower()
			f.Limit = 500 * time.Millisecond
			h.must(nil, h.server.SetECSSpeed(400)) // a bake time of 1.5 s
			d := h.deploy(ref, second, ecs.Register)
			wantOutcome(t, f.Follow(t.Context(), []ecs.Deployment{d}, nil)[0], Succeeded)
			outcome := f.Follow(t.Context(), []ecs.Deployment{h.deploy(ref, third, ecs.Register)}, nil)[0]
			wantOutcome(t, outcome, RolledBack, "alarms triggered: errors")
			if !strings.Contains(outcome.Diagnosis.Cause, "CloudWatch alarms ended the deployment") {
				t.Errorf("cause %q", outcome.Diagnosis.Cause)
			}
			h.wantRunning(ref, second)
		})
	}
}

// Without the permission to read service deployments the ends are the same.
func TestFollowPlainOnTheSandbox(t *testing.T) {
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			h := startFixture(t, sandbox.Options{ECS: q})
			first := h.push("a1")
			good, bad, replaced := h.createLogging("good", first.Image), h.createLogging("bad", first.Image), h.createLogging("replaced", first.Image)
			second, third := h.push("b2"), h.push("c3")
			broken := h.pushWithLabels("d4", map[string]string{"slipway.sandbox.exit": "3"})
			ds := []ecs.Deployment{h.deploy(good, second, ecs.Register), h.deploy(bad, broken, ecs.Register), h.deploy(replaced, second, ecs.Register)}
			h.advance(2 * time.Second)
			h.deploy(replaced, third, ecs.Register)
			h.must(nil, h.server.Fault(sandbox.Fault{Service: "ecs", Action: "ListServiceDeployments", Count: 1000, Error: "AccessDeniedException"}))
			outcomes, n := h.follow(ds...)
			wantOutcome(t, outcomes[0], Succeeded)
			wantOutcome(t, outcomes[1], RolledBack)
			wantOutcome(t, outcomes[2], Superseded)
			reported := 0
			for _, text := range n.texts(Event) {
				if strings.Contains(text, "reading service deployments is not allowed") {
					reported++
				}
			}
			if reported != len(ds) {
				t.Errorf("reported %d times: %q", reported, n.texts(Event))
			}
		})
	}
}

func TestFollowCodeDeployOnTheSandbox(t *testing.T) {
	h := startFixture(t, sandbox.Options{})
	first := h.push("a1")
	ref := h.createForCodeDeploy("web", first.Image, "")
	second := h.push("b2")
	h.must(nil, h.server.SetECSSpeed(1)) // until a stage was seen
	n := &progressRecorder{}
	outcomes := h.followAs(func(p Progress) {
		if n.report(p); p.Kind == Stage {
			h.must(nil, h.server.SetECSSpeed(3000))
		}
	}, h.deploy(ref, second, ecs.Register))
	wantOutcome(t, outcomes[0], Succeeded)
	if outcomes[0].Running["web"][second.Digests[0]] != 2 || len(n.texts(Stage)) == 0 {
		t.Errorf("running %v, reported stages %q; want 2 tasks with %s and a stage", outcomes[0].Running, n.texts(Stage), second.Digests[0])
	}
	broken := h.pushWithLabels("c3", map[string]string{"slipway.sandbox.exit": "3"})
	h.advance(10 * time.Minute) // until the old tasks are ended
	// CodeDeploy waits an hour before it gives up.
	outcomes, n = h.followAt(3000, h.deploy(ref, broken, ecs.Register))
	wantOutcome(t, outcomes[0], RolledBack, "CodeDeploy reports")
	if d := outcomes[0].Diagnosis; !strings.Contains(d.Cause, "container web ended with code 3") {
		t.Errorf("%s\ntold %q", strings.Join(d.Lines(), "\n"), n.texts(Stopped))
	}
	h.wantRunning(ref, second)
}

// createForCodeDeploy makes a service behind a load balancer, and the
// CodeDeploy group that the console would make for it, which moves the traffic
// as a deployment configuration says.
func (h *ecsFixture) createForCodeDeploy(service, image, config string) ecs.Ref {
	h.t.Helper()
	group := "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/blue/1"
	h.server.SetTargetGroup(group, sandbox.TargetGroup{})
	ref := h.create(service, image, func(in *awsecs.CreateServiceInput) {
		in.DeploymentController = &types.DeploymentController{Type: types.DeploymentControllerTypeCodeDeploy}
		in.LoadBalancers = []types.LoadBalancer{{ContainerName: aws.String("web"), ContainerPort: aws.Int32(80),
			TargetGroupArn: &group}}
	})
	deployer := codedeploy.NewFromConfig(h.config)
	application, deploymentGroup := "AppECS-shop-"+service, "DgpECS-shop-"+service
	h.must(deployer.CreateApplication(h.t.Context(), &codedeploy.CreateApplicationInput{ApplicationName: &application, ComputePlatform: codedeploytypes.ComputePlatformEcs}))
	var configName *string
	if config != "" {
		configName = &config
	}
	h.must(deployer.CreateDeploymentGroup(h.t.Context(), &codedeploy.CreateDeploymentGroupInput{
		ApplicationName: &application, DeploymentGroupName: &deploymentGroup, ServiceRoleArn: aws.String("arn:aws:iam::000000000000:role/deploy"),
		DeploymentConfigName:      configName,
		EcsServices:               []codedeploytypes.ECSService{{ClusterName: aws.String("shop"), ServiceName: &service}},
		DeploymentStyle:           &codedeploytypes.DeploymentStyle{DeploymentType: codedeploytypes.DeploymentTypeBlueGreen, DeploymentOption: codedeploytypes.DeploymentOptionWithTrafficControl},
		AutoRollbackConfiguration: &codedeploytypes.AutoRollbackConfiguration{Enabled: true, Events: []codedeploytypes.AutoRollbackEvent{codedeploytypes.AutoRollbackEventDeploymentFailure}},
		BlueGreenDeploymentConfiguration: &codedeploytypes.BlueGreenDeploymentConfiguration{
			DeploymentReadyOption:                     &codedeploytypes.DeploymentReadyOption{ActionOnTimeout: codedeploytypes.DeploymentReadyActionContinueDeployment},
			TerminateBlueInstancesOnDeploymentSuccess: &codedeploytypes.BlueInstanceTerminationOption{Action: codedeploytypes.InstanceActionTerminate, TerminationWaitTimeInMinutes: 5},
		},
		LoadBalancerInfo: &codedeploytypes.LoadBalancerInfo{TargetGroupPairInfoList: []codedeploytypes.TargetGroupPairInfo{{
			TargetGroups: []codedeploytypes.TargetGroupInfo{{Name: aws.String("blue")}, {Name: aws.String("green")}}}}},
	}))
	return ref
}

// Thirty services at once stay within the calls of a round.
func TestFollowManyOnTheSandbox(t *testing.T) {
	h := startFixture(t, sandbox.Options{})
	first := h.push("a1")
	var refs []ecs.Ref
	for i := range 30 {
		refs = append(refs, h.createLogging(fmt.Sprint("s", i), first.Image))
	}
	second := h.push("b2")
	var ds []ecs.Deployment
	for _, ref := range refs {
		ds = append(ds, h.deploy(ref, second, ecs.Register))
	}
	h.server.ResetCalls()
	outcomes, _ := h.follow(ds...)
	for _, o := range outcomes {
		wantOutcome(t, o, Succeeded)
	}
	calls := map[string]int{}
	for _, c := range h.server.Calls() {
		calls[c.Action]++
	}
	if calls["DescribeServiceDeployments"] > calls["DescribeServices"] || calls["ListServiceDeployments"] != 30 {
		t.Errorf("calls %v", calls)
	}
}
