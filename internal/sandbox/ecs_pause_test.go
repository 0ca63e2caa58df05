package sandbox_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
	"slipway/internal/testtools"
)

// withHook is a blue/green service whose deployments pause at a stage.
func withHook(hook types.DeploymentLifecycleHook, stages ...types.DeploymentLifecycleHookStage) func(*ecs.CreateServiceInput) {
	hook.TargetType, hook.LifecycleStages = types.DeploymentLifecycleHookTargetTypePause, stages
	return strategy(types.DeploymentConfiguration{
		Strategy: types.DeploymentStrategyBlueGreen, BakeTimeInMinutes: aws.Int32(0), LifecycleHooks: []types.DeploymentLifecycleHook{hook},
	})
}

func awaits(d types.ServiceDeployment) bool {
	n := len(d.LifecycleHookDetails)
	return n > 0 && d.LifecycleHookDetails[n-1].Status == types.DeploymentLifecycleHookStatusAwaitingAction
}

func (c *ecsFixture) answer(arn, hook string, action types.DeploymentLifecycleHookAction) error {
	_, err := c.ecs.ContinueServiceDeployment(c.Context(), &ecs.ContinueServiceDeploymentInput{ServiceDeploymentArn: &arn, HookId: &hook, Action: action})
	return err
}

// A deployment waits at each stage that has a PAUSE hook until it is continued.
func TestPauseHooks(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 2, withHook(types.DeploymentLifecycleHook{},
		types.DeploymentLifecycleHookStagePreScaleUp, types.DeploymentLifecycleHookStagePostScaleUp, types.DeploymentLifecycleHookStagePostTestTrafficShift,
		"PRE_PRODUCTION_TRAFFIC_SHIFT", types.DeploymentLifecycleHookStagePostProductionTrafficShift))
	green := c.push("latest")
	c.update("")
	arn := *c.service().CurrentServiceDeployment
	for i, stage := range []types.ServiceDeploymentLifecycleStage{
		"PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT",
	} {
		d := c.waitFor(arn, awaits)
		c.s.Advance(6 * time.Hour)
		if d = c.deployment(arn); d.LifecycleStage != stage || d.Status != types.ServiceDeploymentStatusInProgress || len(d.LifecycleHookDetails) != i+1 {
			t.Fatalf("it waits as %+v, want stage %s", d, stage)
		}
		h := d.LifecycleHookDetails[i]
		if h.TargetType != types.DeploymentLifecycleHookTargetTypePause || h.TimeoutAction != types.DeploymentLifecycleHookActionRollback || h.ExpiresAt == nil {
			t.Errorf("the hook is %+v", h)
		}
		if err := c.answer(arn, *h.HookId, types.DeploymentLifecycleHookActionContinue); err != nil {
			t.Fatal(err)
		}
		if h := c.deployment(arn).LifecycleHookDetails[i]; h.Status != types.DeploymentLifecycleHookStatusSucceeded {
			t.Errorf("the hook that was continued is %s", h.Status)
		}
		wantCode(t, c.answer(arn, *h.HookId, types.DeploymentLifecycleHookActionContinue), "InvalidParameterException")
	}
	if d := c.wait(); d.Status != types.ServiceDeploymentStatusSuccessful {
		t.Errorf("ended as %+v, want %v", d, types.ServiceDeploymentStatusSuccessful)
	}
	c.wantRunning(green, 2)
	wantCode(t, c.answer(arn+"x", "h", ""), "ServiceDeploymentNotFoundException")
	wantCode(t, c.answer(arn, "h", "STOP"), "InvalidParameterException")
}

// A hook that is answered with ROLLBACK rolls the service back. One that is not
// answered in time rolls it back or continues, by its timeout action.
func TestPauseHooksEnd(t *testing.T) {
	for name, test := range map[string]struct {
		timeout *types.DeploymentLifecycleHookTimeoutConfiguration
		act     func(c *ecsFixture, arn, hook string) error
		status  types.ServiceDeploymentStatus
		hook    types.DeploymentLifecycleHookStatus
	}{
		"answered": {nil, func(c *ecsFixture, arn, hook string) error {
			return c.answer(arn, hook, types.DeploymentLifecycleHookActionRollback)
		}, types.ServiceDeploymentStatusRollbackSuccessful, types.DeploymentLifecycleHookStatusFailed},
		"stopped": {nil, func(c *ecsFixture, arn, _ string) error {
			_, err := c.ecs.StopServiceDeployment(c.Context(), &ecs.StopServiceDeploymentInput{ServiceDeploymentArn: &arn})
			return err
		}, types.ServiceDeploymentStatusRollbackSuccessful, types.DeploymentLifecycleHookStatusAwaitingAction},
		"by default after a day": {nil, func(c *ecsFixture, arn, _ string) error {
			c.s.Advance(23 * time.Hour)
			if !awaits(c.deployment(arn)) {
				return errors.New("it does not wait for a day")
			}
			c.s.Advance(2 * time.Hour)
			return nil
		}, types.ServiceDeploymentStatusRollbackSuccessful, types.DeploymentLifecycleHookStatusTimedOut},
		"timed out, CONTINUE": {&types.DeploymentLifecycleHookTimeoutConfiguration{Action: types.DeploymentLifecycleHookActionContinue, TimeoutInMinutes: aws.Int32(30)},
			func(c *ecsFixture, _, _ string) error { c.s.Advance(31 * time.Minute); return nil },
			types.ServiceDeploymentStatusSuccessful, types.DeploymentLifecycleHookStatusTimedOut},
	} {
		t.Run(name, func(t *testing.T) {
			c := newECSFixture(t, sandbox.Options{})
			blue := c.push("latest")
			c.create(c.define(c.web(c.uri+":latest")), 1, withHook(types.DeploymentLifecycleHook{TimeoutConfiguration: test.timeout}, types.DeploymentLifecycleHookStagePostScaleUp))
			green := c.push("latest")
			c.update("")
			arn := *c.service().CurrentServiceDeployment
			d := c.waitFor(arn, awaits)
			if err := test.act(c, arn, *d.LifecycleHookDetails[0].HookId); err != nil {
				t.Fatal(err)
			}
			if d = c.wait(); d.Status != test.status || d.LifecycleHookDetails[0].Status != test.hook {
				t.Errorf("ended as %s with the hook %s, want %s and %s", d.Status, d.LifecycleHookDetails[0].Status, test.status, test.hook)
			}
			want := blue
			if test.status == types.ServiceDeploymentStatusSuccessful {
				want = green
			}
			c.s.Advance(time.Minute)
			c.wantRunning(want, 1)
		})
	}
}

func TestHookSettingsRefused(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 1)
	update := func(d types.DeploymentConfiguration) error {
		_, err := c.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("shop"), Service: aws.String("shop"), DeploymentConfiguration: &d})
		return err
	}
	hook := func(stages ...types.DeploymentLifecycleHookStage) types.DeploymentConfiguration {
		return types.DeploymentConfiguration{Strategy: types.DeploymentStrategyBlueGreen, LifecycleHooks: []types.DeploymentLifecycleHook{{
			TargetType: types.DeploymentLifecycleHookTargetTypePause, LifecycleStages: stages,
		}}}
	}
	early := func(e types.DeploymentEarlySuccessCriteria) types.DeploymentConfiguration {
		e.Enable = true
		return types.DeploymentConfiguration{EarlySuccessCriteria: &e}
	}
	for text, config := range map[string]types.DeploymentConfiguration{
		"TEST_TRAFFIC_SHIFT stage":   hook(types.DeploymentLifecycleHookStageTestTrafficShift),
		"at least one":               hook(),
		"must specify":               early(types.DeploymentEarlySuccessCriteria{}),
		"minimumHealthyPercent":      early(types.DeploymentEarlySuccessCriteria{HealthyPercent: aws.Int32(50), SourceServiceRevisionCleanup: types.ServiceRevisionCleanupDeferred}),
		"ROLLING":                    {Strategy: types.DeploymentStrategyBlueGreen, EarlySuccessCriteria: &types.DeploymentEarlySuccessCriteria{Enable: true}},
		"sourceServiceRevisionClean": early(types.DeploymentEarlySuccessCriteria{HealthyPercent: aws.Int32(100), SourceServiceRevisionCleanup: "LATER"}),
	} {
		err := update(config)
		wantCode(t, err, "InvalidParameterException")
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("refused with %v, want %s", err, text)
		}
	}
}

// With early success criteria a deployment succeeds when a part of its tasks is healthy;
// DEFERRED leaves the old ones for later, BLOCKING does not.
func TestEarlySuccess(t *testing.T) {
	for _, cleanup := range []types.ServiceRevisionCleanup{types.ServiceRevisionCleanupDeferred, types.ServiceRevisionCleanupBlocking} {
		t.Run(string(cleanup), func(t *testing.T) {
			c := newECSFixture(t, sandbox.Options{})
			old := c.push("latest")
			c.create(c.define(c.web(c.uri+":latest")), 4, strategy(types.DeploymentConfiguration{
				MinimumHealthyPercent: aws.Int32(50), MaximumPercent: aws.Int32(125),
				EarlySuccessCriteria: &types.DeploymentEarlySuccessCriteria{Enable: true, HealthyPercent: aws.Int32(50), SourceServiceRevisionCleanup: cleanup},
			}))
			c.s.Advance(5 * time.Minute)
			c.push("latest")
			c.slow(0.05)
			c.update("")
			d := c.waitFor(*c.service().CurrentServiceDeployment, func(d types.ServiceDeployment) bool { return d.FinishedAt != nil })
			if d.Status != types.ServiceDeploymentStatusSuccessful {
				t.Fatalf("ended as %+v, want %v", d, types.ServiceDeploymentStatusSuccessful)
			}
			left := strings.Count(strings.Join(c.s.RunningDigests("shop", "shop")["web"], " "), old) > 0
			if want := cleanup == types.ServiceRevisionCleanupDeferred; left != want {
				t.Errorf("old tasks run at success: %v, want %v", left, want)
			}
			c.slow(1)
			c.s.Advance(20 * time.Minute)
			if s := c.service(); len(s.Deployments) != 1 || s.RunningCount != 4 || s.Deployments[0].RunningCount != 4 {
				t.Errorf("in the end: %+v", s)
			}
		})
	}
}

// A container with the instruction takes its time to stop.
func TestSlowStop(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest", "slipway.sandbox.stop-after=20m")
	c.create(c.define(c.web(c.uri+":latest")), 1)
	c.push("latest")
	c.update("")
	arn := *c.service().CurrentServiceDeployment
	c.s.Advance(10 * time.Minute)
	if d := c.deployment(arn); d.Status != types.ServiceDeploymentStatusInProgress || d.TargetServiceRevision.RunningTaskCount != 1 {
		t.Errorf("while the old task stops: %+v", d)
	}
	if s := c.service(); len(s.Deployments) != 2 || s.Deployments[1].DesiredCount != 0 {
		t.Errorf("while the old task stops: %+v", s.Deployments)
	}
	c.s.Advance(15 * time.Minute)
	if d := c.deployment(arn); d.Status != types.ServiceDeploymentStatusSuccessful {
		t.Errorf("when it has stopped: %+v", d)
	}
}

// The AWS CLI reads and answers a hook.
func TestPauseHookWithTheAWSCLI(t *testing.T) {
	t.Parallel()
	path, dir := testtools.Require(t, testtools.CurrentAWSCLI), t.TempDir()
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 1, withHook(types.DeploymentLifecycleHook{}, types.DeploymentLifecycleHookStagePostScaleUp))
	c.push("latest")
	c.update("")
	arn := *c.service().CurrentServiceDeployment
	c.waitFor(arn, awaits)
	described := runAWS(t, path, c.s, dir, "ecs", "describe-service-deployments", "--service-deployment-arns", arn)
	if got := fieldOf(t, described, "serviceDeployments", "lifecycleHookDetails", "status"); got != "AWAITING_ACTION" {
		t.Errorf("the hook is %q in %s, want AWAITING_ACTION", got, described)
	}
	if at := fieldOf(t, described, "serviceDeployments", "lifecycleHookDetails", "expiresAt"); !strings.Contains(at, "T") {
		t.Errorf("it expires at %q, want a date", at)
	}
	id := fieldOf(t, described, "serviceDeployments", "lifecycleHookDetails", "hookId")
	answered := runAWS(t, path, c.s, dir, "ecs", "continue-service-deployment", "--service-deployment-arn", arn, "--hook-id", id, "--action", "CONTINUE")
	if got := fieldOf(t, answered, "serviceDeploymentArn"); got != arn {
		t.Errorf("answered with %q, want %v", got, arn)
	}
	c.wait()
}
