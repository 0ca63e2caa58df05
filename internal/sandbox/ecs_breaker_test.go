package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

func TestCircuitBreakerRollsBack(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	good := c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 2, breaker(true))
	before := c.service()
	c.push("latest", "slipway.sandbox.exit=3")
	failing := *c.update("").Deployments[0].Id

	d := c.wait()
	if d.Status != types.ServiceDeploymentStatusRollbackSuccessful ||
		*d.Rollback.ServiceRevisionArn != *before.CurrentServiceRevisions[0].Arn || !strings.Contains(*d.Rollback.Reason, "circuit breaker threshold") ||
		d.DeploymentCircuitBreaker.Status != types.ServiceDeploymentRollbackMonitorsStatusTriggered || d.DeploymentCircuitBreaker.Threshold != 3 {
		t.Errorf("ended as %+v", d)
	}
	// The tag is still on the failing image: the rollback has the old digest.
	c.wantRunning(good, 2)
	now := c.service()
	if *now.Deployments[0].Id != *before.Deployments[0].Id || now.Deployments[0].RolloutState != types.DeploymentRolloutStateCompleted || len(now.Deployments) != 1 {
		t.Errorf("deployments are %+v", now.Deployments)
	}
	c.wantEvent("(service shop) (deployment " + failing + ") deployment failed: tasks failed to start.")
	c.wantEvent("(service shop) rolling back to deployment " + *before.Deployments[0].Id + ".")
	failed := 0
	for _, task := range c.tasks(types.DesiredStatusStopped) {
		if *task.StartedBy == failing && task.StopCode == types.TaskStopCodeEssentialContainerExited {
			failed++
			if *task.StoppedReason != "Essential container in task exited" || *task.Containers[0].ExitCode != 3 {
				t.Errorf("a failed task is %+v", task)
			}
		}
	}
	if failed < 3 {
		t.Errorf("%d tasks failed, want 3 at least", failed)
	}
}

func TestCircuitBreakerShowsItsRollback(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 1, breaker(true))
	c.update(c.define(c.web(c.uri + ":missing")))
	arn := *c.service().CurrentServiceDeployment
	c.waitFor(arn, func(d types.ServiceDeployment) bool {
		return d.Status != types.ServiceDeploymentStatusPending && d.Rollback != nil
	})
	s := c.service()
	if p, failed := s.Deployments[0], s.Deployments[1]; *p.Status != "PRIMARY" || p.RolloutState != types.DeploymentRolloutStateInProgress ||
		!strings.Contains(*p.RolloutStateReason, "rolling back to deploymentId "+*p.Id) ||
		failed.RolloutState != types.DeploymentRolloutStateFailed || failed.FailedTasks != 3 || *failed.Status != "ACTIVE" ||
		*failed.RolloutStateReason != "ECS deployment circuit breaker: tasks failed to start." {
		t.Errorf("deployments are %+v", s.Deployments)
	}
	if *s.TaskDefinition != *s.Deployments[0].TaskDefinition {
		t.Errorf("the service names %s, want %v", *s.TaskDefinition, *s.Deployments[0].TaskDefinition)
	}
}

func TestCircuitBreakerWithoutRollback(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	good := c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 2, breaker(false))
	c.push("latest", "slipway.sandbox.exit=1")
	c.update("")
	d := c.wait()
	if d.Status != types.ServiceDeploymentStatusStopped || d.StoppedAt == nil || d.Rollback != nil {
		t.Errorf("ended as %+v", d)
	}
	c.s.Advance(time.Hour)
	c.wantRunning(good, 2)
	if p := c.service().Deployments[0]; p.RolloutState != types.DeploymentRolloutStateFailed || p.RunningCount != 0 {
		t.Errorf("the primary is %+v", p)
	}
	// The cause is removed: the next deployment succeeds.
	better := c.push("latest")
	c.update("")
	if d := c.wait(); d.Status != types.ServiceDeploymentStatusSuccessful {
		t.Errorf("the next one ended as %+v", d)
	}
	c.wantRunning(better, 2)
}

func TestRollbackFails(t *testing.T) {
	t.Run("nothing to go back to", func(t *testing.T) {
		c := newECSFixture(t, sandbox.Options{})
		definition := c.define(c.web(c.uri + ":missing"))
		in := &ecs.CreateServiceInput{Cluster: aws.String("shop"), ServiceName: aws.String("shop"), TaskDefinition: &definition, DesiredCount: aws.Int32(1)}
		breaker(true)(in)
		if _, err := c.ecs.CreateService(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if d := c.wait(); d.Status != types.ServiceDeploymentStatusRollbackFailed {
			t.Errorf("ended as %+v, want %v", d, types.ServiceDeploymentStatusRollbackFailed)
		}
	})
	t.Run("the image is gone", func(t *testing.T) {
		c := newECSFixture(t, sandbox.Options{})
		good := c.push("latest")
		c.create(c.define(c.web(c.uri+":latest")), 2, breaker(true), func(in *ecs.CreateServiceInput) {
			in.DeploymentConfiguration.MinimumHealthyPercent, in.DeploymentConfiguration.MaximumPercent = aws.Int32(0), aws.Int32(100)
		})
		c.push("latest", "slipway.sandbox.exit=1")
		if _, err := c.ecr.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{
			RepositoryName: aws.String("shop"), ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: &good}},
		}); err != nil {
			t.Fatal(err)
		}
		c.update("")
		if d := c.wait(); d.Status != types.ServiceDeploymentStatusRollbackFailed || d.Rollback == nil {
			t.Errorf("ended as %+v", d)
		}
		stopped := c.tasks(types.DesiredStatusStopped)
		found := false
		for _, task := range stopped {
			reason := aws.ToString(task.StoppedReason)
			found = found || strings.HasPrefix(reason, "CannotPullContainerError") && strings.Contains(reason, good+": not found")
		}
		if !found {
			t.Errorf("no task of %d names the image that is gone", len(stopped))
		}
	})
}

func TestStopServiceDeployment(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	good := c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 2)
	c.push("latest", "slipway.sandbox.exit=1")
	arn := *c.update("").CurrentServiceDeployment
	stop := func() error {
		_, err := c.ecs.StopServiceDeployment(t.Context(), &ecs.StopServiceDeploymentInput{
			ServiceDeploymentArn: &arn, StopType: types.StopServiceDeploymentStopTypeRollback,
		})
		return err
	}
	c.s.Advance(15 * time.Second)
	c.slow(0.05)
	for range 2 { // the second changes nothing
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	var seen []types.ServiceDeploymentStatus
	seen = append(seen, c.deployment(arn).Status)
	d := c.waitFor(arn, func(d types.ServiceDeployment) bool {
		if seen[len(seen)-1] != d.Status {
			seen = append(seen, d.Status)
		}
		return d.FinishedAt != nil
	})
	want := []types.ServiceDeploymentStatus{"ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"}
	if strings.Join(text(seen), " ") != strings.Join(text(want), " ") {
		t.Errorf("went through %v, want %v", seen, want)
	}
	c.wantRunning(good, 2)
	if d.DeploymentCircuitBreaker.Status != types.ServiceDeploymentRollbackMonitorsStatusDisabled {
		t.Errorf("the breaker, which is off, is %s", d.DeploymentCircuitBreaker.Status)
	}
	wantCode(t, stop(), "ConflictException")
	arn += "x"
	wantCode(t, stop(), "ServiceDeploymentNotFoundException")
}

func text[S ~string](all []S) (out []string) {
	for _, s := range all {
		out = append(out, string(s))
	}
	return out
}
