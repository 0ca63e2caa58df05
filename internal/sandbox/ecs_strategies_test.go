package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

func strategy(d types.DeploymentConfiguration) func(*ecs.CreateServiceInput) {
	return func(in *ecs.CreateServiceInput) { in.DeploymentConfiguration = &d }
}

func TestStrategies(t *testing.T) {
	const before = "PRE_SCALE_UP SCALE_UP POST_SCALE_UP TEST_TRAFFIC_SHIFT POST_TEST_TRAFFIC_SHIFT "
	const after = " POST_PRODUCTION_TRAFFIC_SHIFT BAKE_TIME CLEAN_UP"
	for _, test := range []struct {
		config types.DeploymentConfiguration
		stages string
		least  time.Duration // that the deployment must take
	}{
		{
			types.DeploymentConfiguration{Strategy: types.DeploymentStrategyBlueGreen, BakeTimeInMinutes: aws.Int32(2)},
			before + "PRODUCTION_TRAFFIC_SHIFT@100" + after, 2 * time.Minute,
		},
		{
			types.DeploymentConfiguration{
				Strategy: types.DeploymentStrategyLinear, BakeTimeInMinutes: aws.Int32(1),
				LinearConfiguration: &types.LinearConfiguration{StepPercent: aws.Float64(40), StepBakeTimeInMinutes: aws.Int32(1)},
			},
			before + "PRODUCTION_TRAFFIC_SHIFT@40 PRODUCTION_TRAFFIC_SHIFT@80 PRODUCTION_TRAFFIC_SHIFT@100" + after, 3 * time.Minute,
		},
		{
			types.DeploymentConfiguration{
				Strategy: types.DeploymentStrategyCanary, BakeTimeInMinutes: aws.Int32(1),
				CanaryConfiguration: &types.CanaryConfiguration{CanaryPercent: aws.Float64(10), CanaryBakeTimeInMinutes: aws.Int32(3)},
			},
			before + "PRODUCTION_TRAFFIC_SHIFT@10 PRODUCTION_TRAFFIC_SHIFT@100" + after, 4 * time.Minute,
		},
	} {
		t.Run(string(test.config.Strategy), func(t *testing.T) {
			c := newECSFixture(t, sandbox.Options{})
			blue := c.push("latest")
			c.create(c.define(c.web(c.uri+":latest")), 2, strategy(test.config))
			green := c.push("latest")
			c.slow(0.25)
			c.update("")
			arn := *c.service().CurrentServiceDeployment
			var seen []string
			d := c.waitFor(arn, func(d types.ServiceDeployment) bool {
				stage := string(d.LifecycleStage)
				if stage == "PRODUCTION_TRAFFIC_SHIFT" {
					stage += fmt.Sprintf("@%.0f", aws.ToFloat64(d.TargetServiceRevision.RequestedProductionTrafficWeight))
				}
				if len(seen) == 0 || seen[len(seen)-1] != stage {
					seen = append(seen, stage)
				}
				if stage == "BAKE_TIME" && (d.TargetServiceRevision.RunningTaskCount != 2 || d.SourceServiceRevisions[0].RunningTaskCount != 2) {
					t.Errorf("while baking %+v and %+v run", d.TargetServiceRevision, d.SourceServiceRevisions[0])
				}
				if stage == "SCALE_UP" {
					if got := c.s.RunningDigests("shop", "shop")["web"]; strings.Count(strings.Join(got, " "), blue) != 2 {
						t.Errorf("while green scales up, %v run", got)
					}
				}
				return d.FinishedAt != nil
			})
			if got := strings.Join(seen, " "); got != test.stages {
				t.Errorf("stages are\n%s, want\n%s", got, test.stages)
			}
			if d.Status != types.ServiceDeploymentStatusSuccessful || d.FinishedAt.Sub(*d.CreatedAt)/4 < test.least {
				t.Errorf("ended as %s after %s, want %s at least", d.Status, d.FinishedAt.Sub(*d.CreatedAt), test.least)
			}
			c.wantRunning(green, 2)

			c.push("latest", "slipway.sandbox.exit=1")
			c.slow(1)
			c.update("")
			if d := c.wait(); d.Status != types.ServiceDeploymentStatusRollbackSuccessful {
				t.Errorf("a green revision that crashes ended as %+v", d)
			}
			c.wantRunning(green, 2)
		})
	}
}

// A deployment that begins while another one has its green tasks up first
// leaves one revision to shift from.
func TestBlueGreenReconciles(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 1, strategy(types.DeploymentConfiguration{
		Strategy: types.DeploymentStrategyBlueGreen, BakeTimeInMinutes: aws.Int32(5),
	}))
	c.push("latest")
	c.update("")
	c.waitFor(*c.service().CurrentServiceDeployment, func(d types.ServiceDeployment) bool { return d.LifecycleStage == "BAKE_TIME" })
	third := c.push("latest")
	arn := *c.update("").CurrentServiceDeployment
	if d := c.deployment(arn); d.LifecycleStage != types.ServiceDeploymentLifecycleStageReconcileService || len(d.SourceServiceRevisions) != 2 {
		t.Errorf("the deployment begins as %+v", d)
	}
	if d := c.wait(); d.Status != types.ServiceDeploymentStatusSuccessful {
		t.Errorf("ended as %+v, want %v", d, types.ServiceDeploymentStatusSuccessful)
	}
	c.wantRunning(third, 1)
	if d := c.deployments()[1]; d.Status != types.ServiceDeploymentStatusStopped {
		t.Errorf("the one before is %+v", d)
	}
}

func TestControllersRefuse(t *testing.T) {
	for _, controller := range []types.DeploymentControllerType{types.DeploymentControllerTypeCodeDeploy, types.DeploymentControllerTypeExternal} {
		c := newECSFixture(t, sandbox.Options{})
		digest := c.push("one")
		definition := c.define(c.web(c.uri + ":one"))
		c.create(definition, 1, func(in *ecs.CreateServiceInput) {
			in.DeploymentController = &types.DeploymentController{Type: controller}
			if controller == types.DeploymentControllerTypeExternal {
				in.TaskDefinition = nil
			}
		})
		for _, in := range []ecs.UpdateServiceInput{
			{TaskDefinition: &definition}, {ForceNewDeployment: true}, {PlatformVersion: aws.String("1.4.0")},
			{NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}}},
			{LoadBalancers: []types.LoadBalancer{}},
		} {
			in.Cluster, in.Service = aws.String("shop"), aws.String("shop")
			_, err := c.ecs.UpdateService(t.Context(), &in)
			wantCode(t, err, "InvalidParameterException")
			if want := "on services with a"; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), string(controller)) {
				t.Errorf("the refusal is %v", err)
			}
		}
		if _, err := c.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("shop"), Service: aws.String("shop"), DesiredCount: aws.Int32(2)}); err != nil {
			t.Errorf("the desired count is refused: %v", err)
		}
		_, err := c.ecs.ListServiceDeployments(t.Context(), &ecs.ListServiceDeploymentsInput{Cluster: aws.String("shop"), Service: aws.String("shop")})
		wantCode(t, err, "UnsupportedFeatureException")
		c.s.Advance(time.Minute)
		s := c.service()
		if controller == types.DeploymentControllerTypeExternal {
			if len(s.TaskSets) != 0 {
				t.Errorf("task sets are %+v, want none", s.TaskSets)
			}
			continue
		}
		c.wantRunning(digest, 2)
		if len(s.Deployments) != 0 || len(s.TaskSets) != 1 || *s.TaskSets[0].Status != "PRIMARY" || s.TaskSets[0].StabilityStatus != types.StabilityStatusSteadyState {
			t.Errorf("the service is %+v", s)
		}
	}
}

func TestTaskSets(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	blue, green := c.push("blue"), c.push("green")
	c.create("", 4, func(in *ecs.CreateServiceInput) {
		in.DeploymentController = &types.DeploymentController{Type: types.DeploymentControllerTypeExternal}
		in.TaskDefinition = nil
	})
	ctx, cluster := t.Context(), aws.String("shop")
	add := func(tag string, percent float64) *string {
		t.Helper()
		out, err := c.ecs.CreateTaskSet(ctx, &ecs.CreateTaskSetInput{
			Cluster: cluster, Service: cluster, TaskDefinition: aws.String(c.define(c.web(c.uri + ":" + tag))), ExternalId: &tag,
			Scale: &types.Scale{Unit: types.ScaleUnitPercent, Value: percent},
		})
		if err != nil {
			t.Fatal(err)
		}
		return out.TaskSet.Id
	}
	first := add("blue", 100)
	c.s.Advance(time.Minute)
	c.wantRunning(blue, 4)
	if _, err := c.ecs.UpdateServicePrimaryTaskSet(ctx, &ecs.UpdateServicePrimaryTaskSetInput{Cluster: cluster, Service: cluster, PrimaryTaskSet: first}); err != nil {
		t.Fatal(err)
	}
	second := add("green", 30)
	c.s.Advance(time.Minute)
	sets := c.service().TaskSets
	if len(sets) != 2 || *sets[0].ExternalId != "green" || sets[0].ComputedDesiredCount != 2 || sets[0].RunningCount != 2 || *sets[0].Status != "ACTIVE" ||
		*sets[1].Status != "PRIMARY" || sets[1].RunningCount != 4 {
		t.Errorf("task sets are %+v", sets)
	}
	if _, err := c.ecs.UpdateTaskSet(ctx, &ecs.UpdateTaskSetInput{Cluster: cluster, Service: cluster, TaskSet: second, Scale: &types.Scale{Value: 100}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ecs.UpdateServicePrimaryTaskSet(ctx, &ecs.UpdateServicePrimaryTaskSetInput{Cluster: cluster, Service: cluster, PrimaryTaskSet: second}); err != nil {
		t.Fatal(err)
	}
	_, err := c.ecs.DeleteTaskSet(ctx, &ecs.DeleteTaskSetInput{Cluster: cluster, Service: cluster, TaskSet: first})
	wantCode(t, err, "InvalidParameterException")
	out, err := c.ecs.DeleteTaskSet(ctx, &ecs.DeleteTaskSetInput{Cluster: cluster, Service: cluster, TaskSet: first, Force: aws.Bool(true)})
	if err != nil || *out.TaskSet.Status != "DRAINING" {
		t.Fatalf("deleting: %+v, %v", out, err)
	}
	if sets := c.service().TaskSets; len(sets) != 2 || *sets[1].Status != "DRAINING" || sets[1].ComputedDesiredCount != 0 {
		t.Errorf("while the old one drains, task sets are %+v", sets)
	}
	c.s.Advance(time.Minute)
	c.wantRunning(green, 4)
	described, err := c.ecs.DescribeTaskSets(ctx, &ecs.DescribeTaskSetsInput{Cluster: cluster, Service: cluster, TaskSets: []string{*first, *second}})
	if err != nil || len(described.TaskSets) != 1 || len(described.Failures) != 1 {
		t.Errorf("described: %+v, %v", described, err)
	}
}
