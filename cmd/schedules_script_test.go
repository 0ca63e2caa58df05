package cmd

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	events "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedules "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/testkit"
)

// scheduledTask is a task that EventBridge starts.
type scheduledTask struct {
	// group is that of a schedule; a rule has none.
	group, name string
	rule        bool
	// off disables it, and universal has its target call RunTask by itself.
	off, universal bool
	// definition is the ARN of the task definition.
	definition string
}

// scheduled [-rule] [-group=GROUP] [-off] [-universal] NAME FAMILY CONTAINER=IMAGE...
// registers a task definition, and makes a rule of EventBridge or a schedule of
// EventBridge Scheduler that runs it. A schedule named weekly names the family without
// its revision.
func scheduleTask(ts *testscript.TestScript, _ bool, args []string) {
	var task scheduledTask
	for strings.HasPrefix(args[0], "-") {
		switch k, v, _ := strings.Cut(args[0], "="); k {
		case "-rule":
			task.rule = true
		case "-group":
			task.group = v
		case "-off":
			task.off = true
		case "-universal":
			task.universal = true
		default:
			ts.Fatalf("scheduled: no option %s", k)
		}
		args = args[1:]
	}
	ctx, s := context.Background(), ecsSandboxOf(ts)
	def, err := s.ecs.RegisterTaskDefinition(ctx, s.definition(ecsServiceFixture{service: args[1], containers: args[2:]}))
	ts.Check(err)
	task.name, task.definition = args[0], aws.ToString(def.TaskDefinition.TaskDefinitionArn)
	if task.name == "weekly" {
		task.definition = task.definition[:strings.LastIndexByte(task.definition, ':')]
	}
	ts.Check(task.create(ctx, testkit.AWSConfig(sandboxOf(ts).URL())))
}

const (
	scheduledCluster = "arn:aws:ecs:us-east-1:000000000000:cluster/shop"
	scheduledRole    = "arn:aws:iam::000000000000:role/events"
	scheduledRunTask = "arn:aws:scheduler:::aws-sdk:ecs:runTask"
)

func (t scheduledTask) create(ctx context.Context, config aws.Config) error {
	if t.rule {
		return t.createRule(ctx, eventbridge.NewFromConfig(config))
	}
	client := scheduler.NewFromConfig(config)
	in := &scheduler.CreateScheduleInput{
		Name: &t.name, ScheduleExpression: aws.String("rate(1 days)"), State: schedules.ScheduleStateEnabled,
		FlexibleTimeWindow: &schedules.FlexibleTimeWindow{Mode: schedules.FlexibleTimeWindowModeOff},
		Target:             &schedules.Target{Arn: aws.String(scheduledCluster), RoleArn: aws.String(scheduledRole)},
	}
	if t.universal {
		in.Target.Arn, in.Target.Input = aws.String(scheduledRunTask), aws.String(`{"Cluster":"shop","TaskDefinition":"`+t.definition+`"}`)
	} else {
		in.Target.EcsParameters = &schedules.EcsParameters{TaskDefinitionArn: &t.definition}
	}
	if t.off {
		in.State = schedules.ScheduleStateDisabled
	}
	if t.group != "" {
		in.GroupName = &t.group
		if _, err := client.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: &t.group}); err != nil {
			return err
		}
	}
	_, err := client.CreateSchedule(ctx, in)
	return err
}

func (t scheduledTask) createRule(ctx context.Context, client *eventbridge.Client) error {
	in := &eventbridge.PutRuleInput{Name: &t.name, ScheduleExpression: aws.String("rate(1 day)")}
	if t.off {
		in.State = events.RuleStateDisabled
	}
	if _, err := client.PutRule(ctx, in); err != nil {
		return err
	}
	_, err := client.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &t.name, Targets: []events.Target{
		{Id: aws.String("log"), Arn: aws.String("arn:aws:logs:us-east-1:000000000000:log-group:/events")},
		{Id: aws.String("task"), Arn: aws.String(scheduledCluster), RoleArn: aws.String(scheduledRole), EcsParameters: &events.EcsParameters{TaskDefinitionArn: &t.definition}},
	}})
	return err
}
