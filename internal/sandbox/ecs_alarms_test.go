package sandbox_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

// withAlarm has a service watch the alarm errors.
func withAlarm(rollback bool) func(*ecs.CreateServiceInput) {
	return strategy(types.DeploymentConfiguration{Alarms: &types.DeploymentAlarms{Enable: true, Rollback: rollback, AlarmNames: []string{"errors"}}})
}

// TestAlarms bakes a rolling deployment with alarms, and ends one whose alarm
// goes off.
func TestAlarms(t *testing.T) {
	for _, test := range []struct {
		name, label string
		rollback    bool
		want        types.ServiceDeploymentStatus
		alarms      types.ServiceDeploymentRollbackMonitorsStatus
		least       time.Duration
	}{
		{"quiet", "slipway.sandbox.alarm=others", true, types.ServiceDeploymentStatusSuccessful, types.ServiceDeploymentRollbackMonitorsStatusMonitoringComplete, 10 * time.Minute},
		{"rolled back", "slipway.sandbox.alarm=errors", true, types.ServiceDeploymentStatusRollbackSuccessful, types.ServiceDeploymentRollbackMonitorsStatusTriggered, time.Minute},
		{"stopped", "slipway.sandbox.alarm=errors", false, types.ServiceDeploymentStatusStopped, types.ServiceDeploymentRollbackMonitorsStatusTriggered, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newECSFixture(t, sandbox.Options{})
			c.push("latest")
			c.create(c.define(c.web(c.uri+":latest")), 2, withAlarm(test.rollback))
			c.s.Advance(15 * time.Minute)
			c.push("latest", test.label)
			began := c.update("").Deployments[0].CreatedAt
			arn := *c.service().CurrentServiceDeployment
			c.s.Advance(time.Minute)
			if d := c.deployment(arn); d.Alarms.Status != types.ServiceDeploymentRollbackMonitorsStatusMonitoring || !slices.Equal(d.Alarms.AlarmNames, []string{"errors"}) {
				t.Errorf("under way: %+v", d.Alarms)
			}
			for c.deployment(arn).FinishedAt == nil {
				c.s.Advance(time.Minute)
			}
			d := c.deployment(arn)
			if d.Status != test.want || d.Alarms.Status != test.alarms {
				t.Errorf("ended as %s with alarms %+v, want %s and %s", d.Status, d.Alarms, test.want, test.alarms)
			}
			if (test.alarms == types.ServiceDeploymentRollbackMonitorsStatusTriggered) != slices.Equal(d.Alarms.TriggeredAlarmNames, []string{"errors"}) {
				t.Errorf("alarms %q went off", d.Alarms.TriggeredAlarmNames)
			}
			if took := d.FinishedAt.Sub(*began); took < test.least {
				t.Errorf("took %s, want at least %s", took, test.least)
			}
		})
	}
}

// TestRebalancing moves tasks to other zones when there are some again.
func TestRebalancing(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	image := c.push("latest")
	tag := func(zone string) {
		arn := "arn:aws:ecs:us-east-1:000000000000:cluster/shop"
		if _, err := c.ecs.TagResource(t.Context(), &ecs.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("slipway.sandbox.zone"), Value: &zone}}}); err != nil {
			t.Fatal(err)
		}
	}
	zones := func() []string {
		var out []string
		for _, task := range c.tasks(types.DesiredStatusRunning) {
			out = append(out, *task.AvailabilityZone)
		}
		slices.Sort(out)
		return out
	}
	tag("us-east-1a")
	c.create(c.define(c.web(c.uri+":latest")), 3, func(in *ecs.CreateServiceInput) {
		in.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingEnabled
	})
	c.s.Advance(5 * time.Minute)
	if got := strings.Join(zones(), " "); got != "us-east-1a us-east-1a us-east-1a" {
		t.Errorf("zones %s, want one", got)
	}
	tag("")
	c.s.Advance(10 * time.Minute)
	if got := strings.Join(zones(), " "); got != "us-east-1a us-east-1b us-east-1c" {
		t.Errorf("zones %s, want three", got)
	}
	c.wantRunning(image, 3)
	c.wantEvent("is not AZ balanced")
	if n := len(c.deployments()); n != 1 {
		t.Errorf("%d deployments, want 1", n)
	}
	_, err := c.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{
		Cluster: aws.String("shop"), Service: aws.String("shop"),
		DeploymentConfiguration: &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(0), MaximumPercent: aws.Int32(100)},
	})
	if err == nil || !strings.Contains(err.Error(), "maximumPercent must be greater than 100") {
		t.Errorf("the update ends with %v", err)
	}
}
