package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

// defineFargate registers a definition of the family migrate for Fargate.
func (c *ecsFixture) defineFargate(image string, change ...func(*types.ContainerDefinition)) string {
	c.Helper()
	out, err := c.ecs.RegisterTaskDefinition(c.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("migrate"), NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		ExecutionRoleArn:        aws.String("arn:aws:iam::000000000000:role/execution"),
		ContainerDefinitions:    []types.ContainerDefinition{c.web(image, change...)},
	})
	if err != nil {
		c.Fatal(err)
	}
	return *out.TaskDefinition.TaskDefinitionArn
}

// runTask is a request for one task on Fargate.
func runTask(definition string, change ...func(*ecs.RunTaskInput)) *ecs.RunTaskInput {
	in := &ecs.RunTaskInput{
		Cluster: aws.String("shop"), TaskDefinition: &definition, LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
	}
	for _, f := range change {
		f(in)
	}
	return in
}

func (c *ecsFixture) run(in *ecs.RunTaskInput) *ecs.RunTaskOutput {
	c.Helper()
	out, err := c.ecs.RunTask(c.Context(), in)
	if err != nil {
		c.Fatal(err)
	}
	return out
}

// ended lets time pass until a task has stopped, at most an hour.
func (c *ecsFixture) ended(arn *string) types.Task {
	c.Helper()
	for range 3600 {
		c.s.Advance(time.Second)
		out, err := c.ecs.DescribeTasks(c.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("shop"), Tasks: []string{*arn}})
		if err != nil || len(out.Tasks) != 1 {
			c.Fatalf("DescribeTasks of %s: %+v, %v", *arn, out, err)
		}
		if aws.ToString(out.Tasks[0].LastStatus) == "STOPPED" {
			return out.Tasks[0]
		}
	}
	c.Fatalf("task %s has not stopped after an hour", *arn)
	return types.Task{}
}

func TestRunTask(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("ok", "slipway.sandbox.exit=0")
	definition := c.defineFargate(c.uri + ":ok")
	out := c.run(runTask(definition, func(in *ecs.RunTaskInput) {
		in.StartedBy, in.Tags = aws.String("slipway/1"), []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
	}))
	if len(out.Tasks) != 1 || len(out.Failures) != 0 {
		t.Fatalf("RunTask: %d tasks and failures %v, want 1 and none", len(out.Tasks), out.Failures)
	}
	got := out.Tasks[0]
	if *got.Group != "family:migrate" || *got.StartedBy != "slipway/1" || *got.LastStatus != "PROVISIONING" || got.LaunchType != types.LaunchTypeFargate || len(got.Tags) != 1 {
		t.Errorf("RunTask: group %s, startedBy %s, status %s, launch type %s, tags %v", *got.Group, *got.StartedBy, *got.LastStatus, got.LaunchType, got.Tags)
	}
	for _, filter := range []ecs.ListTasksInput{{Family: aws.String("migrate")}, {StartedBy: aws.String("slipway/1")}} {
		filter.Cluster = aws.String("shop")
		listed, err := c.ecs.ListTasks(t.Context(), &filter)
		if err != nil || len(listed.TaskArns) != 1 {
			t.Errorf("ListTasks: %v, %v, want the task", listed, err)
		}
	}
	end := c.ended(got.TaskArn)
	if end.StopCode != types.TaskStopCodeEssentialContainerExited || aws.ToInt32(end.Containers[0].ExitCode) != 0 {
		t.Errorf("the task ended with %s and %v, want %s and 0", end.StopCode, end.Containers[0].ExitCode, types.TaskStopCodeEssentialContainerExited)
	}
	listed, err := c.ecs.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String("shop"), Family: aws.String("migrate"), DesiredStatus: types.DesiredStatusStopped})
	if err != nil || len(listed.TaskArns) != 1 {
		t.Errorf("ListTasks of stopped tasks: %v, %v, want the task", listed, err)
	}
}

// TestRunTaskGoesOn: nothing ends a standalone task that fails its health check
// but StopTask.
func TestRunTaskGoesOn(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("sick", "slipway.sandbox.health=never")
	definition := c.defineFargate(c.uri+":sick", func(d *types.ContainerDefinition) {
		d.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "true"}, Interval: aws.Int32(5), Retries: aws.Int32(1)}
	})
	arn := c.run(runTask(definition)).Tasks[0].TaskArn
	c.s.Advance(time.Hour)
	if _, err := c.ecs.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String("shop"), Task: arn, Reason: aws.String("too long")}); err != nil {
		t.Fatal(err)
	}
	end := c.ended(arn)
	if end.StopCode != types.TaskStopCodeUserInitiated || *end.StoppedReason != "too long" || aws.ToInt32(end.Containers[0].ExitCode) != 143 {
		t.Errorf("the task ended with %s, %s, %v, want UserInitiated, too long, 143", end.StopCode, *end.StoppedReason, end.Containers[0].ExitCode)
	}
}

func TestRunTaskClientToken(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("ok", "slipway.sandbox.exit=0")
	definition := c.defineFargate(c.uri + ":ok")
	withToken := func(in *ecs.RunTaskInput) { in.ClientToken = aws.String("once") }
	first := c.run(runTask(definition, withToken)).Tasks[0].TaskArn
	if again := c.run(runTask(definition, withToken)).Tasks[0].TaskArn; *again != *first {
		t.Errorf("the same token ran %s, want %s again", *again, *first)
	}
	_, err := c.ecs.RunTask(t.Context(), runTask(definition, withToken, func(in *ecs.RunTaskInput) { in.StartedBy = aws.String("other") }))
	if err == nil || !strings.Contains(err.Error(), "ConflictException") {
		t.Errorf("another request with the token: %v, want ConflictException", err)
	}
	c.ended(first)
	c.s.Advance(59 * time.Minute)
	if again := c.run(runTask(definition, withToken)).Tasks[0].TaskArn; *again != *first {
		t.Errorf("59 minutes after the end the token ran %s, want %s again", *again, *first)
	}
	c.s.Advance(2 * time.Minute)
	if again := c.run(runTask(definition, withToken)).Tasks[0].TaskArn; *again == *first {
		t.Errorf("61 minutes after the end the token still names %s, want another task", *again)
	}
}

func TestRunTaskWithoutCapacity(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("full", "slipway.sandbox.capacity=none")
	definition := c.defineFargate(c.uri + ":full")
	out := c.run(runTask(definition))
	if len(out.Tasks) != 0 || len(out.Failures) != 1 || !strings.HasPrefix(*out.Failures[0].Reason, "Capacity is unavailable at this time") {
		t.Errorf("RunTask: %d tasks, failures %v, want no task and that capacity is unavailable", len(out.Tasks), out.Failures)
	}
	_, err := c.ecs.RunTask(t.Context(), runTask(definition, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeEc2 }))
	if err == nil || !strings.Contains(err.Error(), "No Container Instances") {
		t.Errorf("RunTask on EC2: %v, want that there are no container instances", err)
	}
}

func TestRunTaskErrors(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("ok")
	definition := c.defineFargate(c.uri + ":ok")
	bridge := c.define(c.web(c.uri + ":ok"))
	for _, test := range []struct {
		name, want string
		in         *ecs.RunTaskInput
	}{
		{"network", "Network Configuration must be provided", runTask(definition, func(in *ecs.RunTaskInput) { in.NetworkConfiguration = nil })},
		{"bridge", "does not support launch_type FARGATE", runTask(bridge, func(in *ecs.RunTaskInput) { in.NetworkConfiguration = nil })},
		{"bridge network", "Network Configuration is not valid", runTask(bridge)},
		{"subnets", "subnets", runTask(definition, func(in *ecs.RunTaskInput) { in.NetworkConfiguration.AwsvpcConfiguration.Subnets = []string{} })},
		{"startedBy", "Invalid startedBy", runTask(definition, func(in *ecs.RunTaskInput) { in.StartedBy = aws.String(strings.Repeat("a", 129)) })},
		{"letters", "Invalid startedBy", runTask(definition, func(in *ecs.RunTaskInput) { in.StartedBy = aws.String("a:b") })},
		{"token", "Invalid clientToken", runTask(definition, func(in *ecs.RunTaskInput) { in.ClientToken = aws.String(strings.Repeat("a", 65)) })},
		{"count", "Invalid count", runTask(definition, func(in *ecs.RunTaskInput) { in.Count = aws.Int32(11) })},
		{"group", "reserved", runTask(definition, func(in *ecs.RunTaskInput) { in.Group = aws.String("service:shop") })},
		{"both", "launch type", runTask(definition, func(in *ecs.RunTaskInput) {
			in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT")}}
		})},
		{"definition", "TaskDefinition not found", runTask("gone")},
		{"cluster", "ClusterNotFoundException", runTask(definition, func(in *ecs.RunTaskInput) { in.Cluster = aws.String("gone") })},
		{"overrides", "without overrides", runTask(definition, func(in *ecs.RunTaskInput) { in.Overrides = &types.TaskOverride{Cpu: aws.String("1")} })},
	} {
		if _, err := c.ecs.RunTask(t.Context(), test.in); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: RunTask: %v, want %q", test.name, err, test.want)
		}
	}
}
