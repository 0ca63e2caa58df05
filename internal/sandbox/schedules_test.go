package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	rules "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedules "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

const (
	aCluster    = "arn:aws:ecs:us-east-1:000000000000:cluster/shop"
	aDefinition = "arn:aws:ecs:us-east-1:000000000000:task-definition/nightly:3"
	aRole       = "arn:aws:iam::000000000000:role/events"
)

func TestRules(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := eventbridge.NewFromConfig(testkit.AWSConfig(s.URL()))
	for i := range 105 {
		if _, err := c.PutRule(t.Context(), &eventbridge.PutRuleInput{
			Name: aws.String(fmt.Sprintf("nightly-%03d", i)), ScheduleExpression: aws.String("rate(1 day)"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	put := func(rule string, ids ...string) error {
		in := &eventbridge.PutTargetsInput{Rule: &rule}
		for _, id := range ids {
			in.Targets = append(in.Targets, rules.Target{
				Id: aws.String(id), Arn: aws.String(aCluster), EcsParameters: &rules.EcsParameters{TaskDefinitionArn: aws.String(aDefinition)},
			})
		}
		_, err := c.PutTargets(t.Context(), in)
		return err
	}
	if err := put("nightly-007", "b", "a"); err != nil {
		t.Fatal(err)
	}
	names := 0
	for token := (*string)(nil); ; {
		page, err := c.ListRules(t.Context(), &eventbridge.ListRulesInput{NextToken: token})
		if err != nil {
			t.Fatal(err)
		}
		names += len(page.Rules)
		if token = page.NextToken; token == nil {
			break
		}
	}
	if names != 105 {
		t.Errorf("%d rules, want 105", names)
	}
	// A rule that is put again keeps its targets.
	if _, err := c.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("nightly-007"), EventPattern: aws.String("{}"), State: rules.RuleStateDisabled}); err != nil {
		t.Fatal(err)
	}
	one, err := c.ListRules(t.Context(), &eventbridge.ListRulesInput{NamePrefix: aws.String("nightly-007")})
	if err != nil || len(one.Rules) != 1 || one.Rules[0].State != rules.RuleStateDisabled || aws.ToString(one.Rules[0].EventBusName) != "default" {
		t.Errorf("ListRules: %+v, %v", one, err)
	}
	targets, err := c.ListTargetsByRule(t.Context(), &eventbridge.ListTargetsByRuleInput{Rule: aws.String("nightly-007")})
	if err != nil || len(targets.Targets) != 2 || *targets.Targets[0].Id != "a" || *targets.Targets[1].EcsParameters.TaskDefinitionArn != aDefinition {
		t.Errorf("ListTargetsByRule: %+v, %v", targets, err)
	}
	_, err = c.ListTargetsByRule(t.Context(), &eventbridge.ListTargetsByRuleInput{Rule: aws.String("none")})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = c.ListRules(t.Context(), &eventbridge.ListRulesInput{EventBusName: aws.String("none")})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = c.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("never")})
	wantCode(t, err, "ValidationException")
	wantCode(t, put("nightly-007", "c", "d", "e", "f"), "LimitExceededException")
}

func TestSchedules(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := scheduler.NewFromConfig(testkit.AWSConfig(s.URL()))
	create := func(group *string, name string) error {
		_, err := c.CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
			Name: &name, GroupName: group, ScheduleExpression: aws.String("cron(0 3 * * ? *)"),
			FlexibleTimeWindow: &schedules.FlexibleTimeWindow{Mode: schedules.FlexibleTimeWindowModeOff},
			Target: &schedules.Target{Arn: aws.String(aCluster), RoleArn: aws.String(aRole),
				EcsParameters: &schedules.EcsParameters{TaskDefinitionArn: aws.String(aDefinition)}},
		})
		return err
	}
	if _, err := c.CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: aws.String("jobs")}); err != nil {
		t.Fatal(err)
	}
	for _, group := range []*string{nil, aws.String("jobs")} {
		for i := range 60 {
			if err := create(group, fmt.Sprintf("nightly-%02d", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	count := 0
	pages := scheduler.NewListSchedulesPaginator(c, &scheduler.ListSchedulesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		count += len(page.Schedules)
	}
	if count != 120 {
		t.Errorf("%d schedules, want 120", count)
	}
	some, err := c.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{GroupName: aws.String("jobs"), NamePrefix: aws.String("nightly-0"), MaxResults: aws.Int32(3)})
	if err != nil || len(some.Schedules) != 3 || *some.Schedules[0].GroupName != "jobs" || *some.Schedules[0].Target.Arn != aCluster {
		t.Errorf("ListSchedules: %+v, %v", some, err)
	}
	one, err := c.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: aws.String("nightly-07"), GroupName: aws.String("jobs")})
	if err != nil || *one.GroupName != "jobs" || one.State != schedules.ScheduleStateEnabled || one.CreationDate.IsZero() || *one.Target.EcsParameters.TaskDefinitionArn != aDefinition {
		t.Errorf("GetSchedule: %+v, %v", one, err)
	}
	_, err = c.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: aws.String("none")})
	wantCode(t, err, "ResourceNotFoundException")
	wantCode(t, create(nil, "nightly-07"), "ConflictException")
	wantCode(t, create(aws.String("none"), "nightly"), "ResourceNotFoundException")
	wantCode(t, create(nil, "two words"), "ValidationException")

	// Permissions and faults apply as with the services that have a target header.
	s.Deny("scheduler:ListSchedules")
	_, err = c.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{})
	wantCode(t, err, "AccessDeniedException")
	if err := s.Fault(sandbox.Fault{Service: "scheduler", Action: "GetSchedule", Count: 1, Error: "ThrottlingException"}); err != nil {
		t.Fatal(err)
	}
	_, err = c.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: aws.String("nightly-07")})
	wantCode(t, err, "ThrottlingException")
	_, err = c.DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{Name: aws.String("nightly-07")})
	wantCode(t, err, "UnknownOperationException")
	calls := s.Calls()
	if last := calls[len(calls)-2]; last.Service != "scheduler" || last.Action != "GetSchedule" || last.Reference != "nightly-07" {
		t.Errorf("the call was recorded as %+v", last)
	}
}

// The AWS CLI reads rules and schedules.
func TestSchedulesWithTheAWSCLI(t *testing.T) {
	t.Parallel() // each command takes about a second
	path, dir := awsCLI(t), t.TempDir()
	s := testkit.StartSandbox(t, sandbox.Options{})
	runAWS(t, path, s, dir, "events", "put-rule", "--name", "nightly", "--schedule-expression", "rate(1 day)")
	runAWS(t, path, s, dir, "events", "put-targets", "--rule", "nightly", "--targets",
		`[{"Id":"a","Arn":"`+aCluster+`","RoleArn":"`+aRole+`","EcsParameters":{"TaskDefinitionArn":"`+aDefinition+`"}}]`)
	runAWS(t, path, s, dir, "scheduler", "create-schedule", "--name", "nightly", "--schedule-expression", "rate(1 days)", "--flexible-time-window", "Mode=OFF",
		"--target", `{"Arn":"`+aCluster+`","RoleArn":"`+aRole+`","EcsParameters":{"TaskDefinitionArn":"`+aDefinition+`"}}`)
	for _, c := range []struct {
		text, want string
		keys       []string
	}{
		{runAWS(t, path, s, dir, "events", "list-rules"), "ENABLED", []string{"Rules", "State"}},
		{runAWS(t, path, s, dir, "events", "list-targets-by-rule", "--rule", "nightly"), aDefinition, []string{"Targets", "EcsParameters", "TaskDefinitionArn"}},
		{runAWS(t, path, s, dir, "scheduler", "list-schedules"), aCluster, []string{"Schedules", "Target", "Arn"}},
		{runAWS(t, path, s, dir, "scheduler", "get-schedule", "--name", "nightly"), aDefinition, []string{"Target", "EcsParameters", "TaskDefinitionArn"}},
	} {
		if got := fieldOf(t, c.text, c.keys...); got != c.want {
			t.Errorf("%v is %q, want %q in %s", c.keys, got, c.want, c.text)
		}
	}
}
