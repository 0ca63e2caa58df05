package sandbox_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

// protect protects tasks for some minutes, or with 0 ends their protection.
func (c *ecsFixture) protect(minutes int32, arns ...string) *ecs.UpdateTaskProtectionOutput {
	c.Helper()
	in := &ecs.UpdateTaskProtectionInput{Cluster: aws.String("shop"), Tasks: arns, ProtectionEnabled: minutes > 0}
	if minutes > 0 {
		in.ExpiresInMinutes = &minutes
	}
	out, err := c.ecs.UpdateTaskProtection(c.Context(), in)
	if err != nil {
		c.Fatal(err)
	}
	return out
}

func (c *ecsFixture) protection(arns ...string) []types.ProtectedTask {
	c.Helper()
	out, err := c.ecs.GetTaskProtection(c.Context(), &ecs.GetTaskProtectionInput{Cluster: aws.String("shop"), Tasks: arns})
	if err != nil || len(out.Failures) > 0 {
		c.Fatalf("reading the protection: %+v, %v", out, err)
	}
	return out.ProtectedTasks
}

func (c *ecsFixture) arns(status types.DesiredStatus) (out []string) {
	c.Helper()
	for _, t := range c.tasks(status) {
		out = append(out, *t.TaskArn)
	}
	return out
}

// A deployment keeps protected tasks until their protection ends or expires, and goes on
// meanwhile.
func TestProtectedTasksOfADeployment(t *testing.T) {
	for _, expires := range []bool{false, true} {
		c := newECSFixture(t, sandbox.Options{})
		c.push("latest")
		c.create(c.define(c.web(c.uri+":latest")), 3)
		old := c.arns("")[:2]
		answer := c.protect(120, old...)
		if until := answer.ProtectedTasks[1].ExpirationDate; len(answer.ProtectedTasks) != 2 || until == nil || time.Until(*until) < time.Hour {
			t.Errorf("the answer is %+v", answer)
		}
		c.push("latest")
		arn := *c.update("").CurrentServiceDeployment
		c.s.Advance(time.Hour)
		if d := c.deployment(arn); d.Status != types.ServiceDeploymentStatusInProgress || d.TargetServiceRevision.RunningTaskCount != 3 {
			t.Errorf("after an hour the deployment is %+v", d)
		}
		running := c.arns("")
		if len(running) != 5 || !slices.Contains(running, old[0]) || !slices.Contains(running, old[1]) {
			t.Errorf("%s run, want %s among five", running, old)
		}
		s := c.service()
		if n := len(s.Deployments); n != 2 || s.Deployments[1].RunningCount != 2 {
			t.Errorf("the deployments are %+v", s.Deployments)
		}
		if expires {
			c.s.Advance(time.Hour)
		} else {
			c.protect(0, old...)
			if p := c.protection(old...); p[0].ProtectionEnabled || p[0].ExpirationDate != nil {
				t.Errorf("after its end, the protection is %+v", p)
			}
		}
		if d := c.wait(); *d.ServiceDeploymentArn != arn || d.Status != types.ServiceDeploymentStatusSuccessful {
			t.Errorf("it ended as %+v", d)
		}
	}
}

// Scaling in stops other tasks first and protected ones not at all.
func TestProtectedTasksWhenScalingIn(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 3)
	kept := c.arns("")[:1]
	c.protect(2880, kept...)
	none := int32(0)
	if _, err := c.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("shop"), Service: aws.String("shop"), DesiredCount: &none}); err != nil {
		t.Fatal(err)
	}
	c.s.Advance(47 * time.Hour)
	if running := c.arns(""); !slices.Equal(running, kept) {
		t.Errorf("%s run, want %s", running, kept)
	}
	c.s.Advance(2 * time.Hour)
	if running := c.arns(""); len(running) != 0 {
		t.Errorf("%s run after two days", running)
	}
}

func TestTaskProtectionRefuses(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 1)
	cluster, task := aws.String("shop"), c.arns("")
	missing := "0123456789abcdef0123456789abcdef"
	out, err := c.ecs.GetTaskProtection(t.Context(), &ecs.GetTaskProtectionInput{Cluster: cluster, Tasks: append(task, missing)})
	if err != nil || len(out.ProtectedTasks) != 1 || len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" {
		t.Errorf("a missing task: %+v, %v", out, err)
	}
	for name, in := range map[string]*ecs.UpdateTaskProtectionInput{
		"no task":          {Cluster: cluster},
		"eleven tasks":     {Cluster: cluster, Tasks: slices.Repeat(task, 11)},
		"half a minute":    {Cluster: cluster, Tasks: task, ProtectionEnabled: true, ExpiresInMinutes: aws.Int32(0)},
		"more than 2 days": {Cluster: cluster, Tasks: task, ProtectionEnabled: true, ExpiresInMinutes: aws.Int32(2881)},
	} {
		if in.Tasks == nil {
			in.Tasks = []string{}
		}
		if _, err := c.ecs.UpdateTaskProtection(t.Context(), in); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			wantCode(t, err, "InvalidParameterException")
		}
	}
	_, err = c.ecs.GetTaskProtection(t.Context(), &ecs.GetTaskProtectionInput{Cluster: cluster, Tasks: slices.Repeat(task, 101)})
	wantCode(t, err, "InvalidParameterException")
	_, err = c.ecs.GetTaskProtection(t.Context(), &ecs.GetTaskProtectionInput{Cluster: aws.String("none"), Tasks: task})
	wantCode(t, err, "ClusterNotFoundException")
	if got := rawECS(t, c.s, "UpdateTaskProtection", `{"cluster":"shop","tasks":["x"]}`); got["__type"] != "InvalidParameterException" {
		t.Errorf("without protectionEnabled: %v", got)
	}
}
