package schedules

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	events "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	scheduled "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"
)

const (
	definitions = "arn:aws:ecs:eu-west-1:123456789012:task-definition/"
	cluster     = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop"
)

// TestTasksOfTargets reads the task definition of each kind of target.
func TestTasksOfTargets(t *testing.T) {
	rule := events.Rule{Name: aws.String("nightly"), State: events.RuleStateEnabled}
	got := ofRule(rule, []events.Target{
		{Arn: aws.String("arn:aws:sqs:eu-west-1:123456789012:queue")},
		{Arn: aws.String(cluster), EcsParameters: &events.EcsParameters{TaskDefinitionArn: aws.String(definitions + "job:3")}},
		{Arn: aws.String(cluster), EcsParameters: &events.EcsParameters{TaskDefinitionArn: aws.String(definitions + "report")}},
	})
	if len(got) != 2 || got[0].Definition != "job:3" || got[1].Definition != "report" || got[0].String() != "rule nightly" {
		t.Errorf("ofRule: %+v, want job:3 and report", got)
	}
	for name, c := range map[string]struct {
		target *scheduled.Target
		want   string
	}{
		"no target":      {nil, ""},
		"another target": {&scheduled.Target{Arn: aws.String("arn:aws:sqs:eu-west-1:123456789012:queue"), Input: aws.String(`{"TaskDefinition":"job:3"}`)}, ""},
		"a cluster":      {&scheduled.Target{Arn: aws.String(cluster), EcsParameters: &scheduled.EcsParameters{TaskDefinitionArn: aws.String(definitions + "job:3")}}, "job:3"},
		"RunTask":        {&scheduled.Target{Arn: aws.String("arn:aws:scheduler:::aws-sdk:ecs:runTask"), Input: aws.String(`{"TaskDefinition":"job"}`)}, "job"},
		"no JSON":        {&scheduled.Target{Arn: aws.String("arn:aws:scheduler:::aws-sdk:ecs:runTask"), Input: aws.String(`job`)}, ""},
		"StopTask":       {&scheduled.Target{Arn: aws.String("arn:aws:scheduler:::aws-sdk:ecs:stopTask"), Input: aws.String(`{"Task":"1"}`)}, ""},
	} {
		task, ok := ofSchedule(&scheduler.GetScheduleOutput{Name: aws.String("weekly"), Target: c.target})
		if ok != (c.want != "") || task.Definition != c.want || ok && task.String() != "schedule default/weekly" {
			t.Errorf("%s: %+v, %v, want %q", name, task, ok, c.want)
		}
	}
}

// TestRemedy names what is to be changed for each way in which a target names a task
// definition.
func TestRemedy(t *testing.T) {
	const image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/job"
	for name, c := range map[string]struct {
		use  Use
		want string
	}{
		"pinned rule": {
			Use{Task: Task{Kind: Rule, Name: "nightly", Definition: "job:3"}, Image: image + ":one"},
			"let a revision of the task definition name " + image + ":latest, and let the rule name job without a revision: `aws events list-targets-by-rule --rule nightly` prints its targets",
		},
		"newest revision, by digest": {
			Use{Task: Task{Kind: Schedule, Group: "default", Name: "weekly", Definition: "job"}, Image: image + "@sha256:0000000000000000000000000000000000000000000000000000000000000000"},
			"let a revision of the task definition name " + image + ":latest: `aws scheduler get-schedule --name weekly` prints its target",
		},
		"schedule of a group": {
			Use{Task: Task{Kind: Schedule, Group: "jobs", Name: "weekly", Definition: "job:1"}, Image: image + ":one"},
			"let a revision of the task definition name " + image + ":latest, and let the schedule name job without a revision: `aws scheduler get-schedule --name weekly --group-name jobs` prints its target",
		},
	} {
		if got := c.use.Remedy(); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
	}
}

// TestUnread puts what could not be read into one line.
func TestUnread(t *testing.T) {
	var r reader
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException"}
	r.note("events:ListRules", nil)
	r.note("scheduler:GetSchedule", denied)
	r.note("scheduler:GetSchedule", denied)
	r.note("events:ListRules", fmt.Errorf("reading the rules: %w", denied))
	for _, name := range []string{"a", "b", "c"} {
		r.note("ecs:DescribeTaskDefinition", errors.New("reading "+name))
	}
	const want = "denied: events:ListRules, scheduler:GetSchedule; reading a (and 2 errors more)"
	if got := (Report{Unread: r.unread()}).Incomplete(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
