package schedules

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	events "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"slipway/internal/awsname"
)

// Kind says which service starts the tasks.
type Kind string

// The kinds of scheduled tasks.
const (
	// Rule is a rule of EventBridge, with a schedule or a pattern of events.
	Rule Kind = "rule"
	// Schedule is a schedule of EventBridge Scheduler.
	Schedule Kind = "schedule"
)

// targets names what a command prints of the kind.
func (k Kind) targets() string {
	if k == Rule {
		return "targets"
	}
	return "target"
}

// Task is a task that a rule or a schedule starts.
type Task struct {
	Kind Kind `json:"kind"`
	// Group is the group of a schedule; empty for a rule.
	Group string `json:"group,omitempty"`
	Name  string `json:"name"`
	// State is ENABLED or DISABLED, or another word of AWS's.
	State string `json:"state"`
	// Definition is the task definition as the target names it: family:revision, or
	// the family alone for its newest revision.
	Definition string `json:"taskDefinition"`
}

// defaultGroup is the group of a schedule that names none.
const defaultGroup = "default"

// String returns the kind and the name: "rule nightly", "schedule default/weekly".
func (t Task) String() string {
	if t.Kind == Rule {
		return string(t.Kind) + " " + t.Name
	}
	return string(t.Kind) + " " + t.Group + "/" + t.Name
}

// ofRule returns the tasks that the targets of a rule start.
func ofRule(rule events.Rule, targets []events.Target) []Task {
	var out []Task
	for _, target := range targets {
		if target.EcsParameters == nil {
			continue
		}
		out = append(out, Task{
			Kind: Rule, Name: aws.ToString(rule.Name), State: string(rule.State),
			Definition: awsname.LastPart(aws.ToString(target.EcsParameters.TaskDefinitionArn)),
		})
	}
	return out
}

// ofSchedule returns the task that a schedule starts, false for another target. A
// schedule names the task definition among the parameters of ECS, or in the input of
// the universal target that calls RunTask ("Using universal targets" in the user
// guide of EventBridge Scheduler).
func ofSchedule(s *scheduler.GetScheduleOutput) (Task, bool) {
	if s.Target == nil {
		return Task{}, false
	}
	definition := ""
	if p := s.Target.EcsParameters; p != nil {
		definition = aws.ToString(p.TaskDefinitionArn)
	} else if strings.HasSuffix(aws.ToString(s.Target.Arn), universalTarget) {
		var input struct{ TaskDefinition string }
		_ = json.Unmarshal([]byte(aws.ToString(s.Target.Input)), &input) // input that is not JSON names none
		definition = input.TaskDefinition
	}
	return Task{
		Kind: Schedule, Group: cmp.Or(aws.ToString(s.GroupName), defaultGroup), Name: aws.ToString(s.Name), State: string(s.State),
		Definition: awsname.LastPart(definition),
	}, definition != ""
}

// universalTarget ends the ARN of the universal target that calls RunTask of ECS.
const universalTarget = ":aws-sdk:ecs:runTask"

// startsTasks reports whether a target may start tasks, by its ARN: that of a
// cluster, or of RunTask.
func startsTasks(arn string) bool {
	return strings.Contains(arn, ":ecs:")
}
