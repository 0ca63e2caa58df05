package schedules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	events "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	scheduled "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/phrase"
)

// parallel is how many calls are made at once.
const parallel = 8

// reader reads scheduled tasks. What it cannot read is left out and noted.
type reader struct {
	events    *eventbridge.Client
	scheduler *scheduler.Client
	ecs       *ecs.Client

	mu     sync.Mutex
	denied []string
	failed []error
}

// note keeps the reason for which a call gave nothing; nil for none.
func (r *reader) note(action string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
	case awsclient.Denied(err):
		r.denied = append(r.denied, action)
	default:
		r.failed = append(r.failed, err)
	}
}

// unread returns the reasons: the refused actions, and the first of the other errors
// with the number of those that are like it.
func (r *reader) unread() []error {
	var out []error
	if len(r.denied) > 0 {
		slices.Sort(r.denied)
		out = append(out, errors.New("denied: "+strings.Join(slices.Compact(r.denied), ", ")))
	}
	switch n := len(r.failed); {
	case n == 1:
		out = append(out, r.failed[0])
	case n > 1:
		out = append(out, fmt.Errorf("%w (and %s more)", r.failed[0], phrase.Count(n-1, "error")))
	}
	return out
}

// tasks returns the tasks of all rules and schedules, in order.
func (r *reader) tasks(ctx context.Context) []Task {
	var rules, schedules []Task
	var both sync.WaitGroup
	both.Go(func() { rules = r.ofRules(ctx) })
	both.Go(func() { schedules = r.ofSchedules(ctx) })
	both.Wait()
	out := append(rules, schedules...)
	slices.SortStableFunc(out, func(a, b Task) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func (r *reader) ofRules(ctx context.Context) []Task {
	var rules []events.Rule
	r.note("events:ListRules", awsclient.EachPage("EventBridge ListRules", func(token *string) (*string, error) {
		out, err := r.events.ListRules(ctx, &eventbridge.ListRulesInput{NextToken: token})
		if err == nil {
			err = awsclient.CheckList("EventBridge", "ListRules", "rules", out.Rules)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the rules of EventBridge: %w", err)
		}
		rules = append(rules, out.Rules...)
		return out.NextToken, nil
	}))
	return each(rules, func(rule events.Rule) []Task {
		var targets []events.Target
		r.note("events:ListTargetsByRule", awsclient.EachPage("EventBridge ListTargetsByRule", func(token *string) (*string, error) {
			out, err := r.events.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: rule.Name, NextToken: token})
			if err == nil {
				err = awsclient.CheckList("EventBridge", "ListTargetsByRule", "targets", out.Targets)
			}
			if err != nil {
				return nil, fmt.Errorf("reading the targets of EventBridge rule %s: %w", aws.ToString(rule.Name), err)
			}
			targets = append(targets, out.Targets...)
			return out.NextToken, nil
		}))
		return ofRule(rule, targets)
	})
}

func (r *reader) ofSchedules(ctx context.Context) []Task {
	var found []scheduled.ScheduleSummary
	r.note("scheduler:ListSchedules", awsclient.EachPage("EventBridge Scheduler ListSchedules", func(token *string) (*string, error) {
		out, err := r.scheduler.ListSchedules(ctx, &scheduler.ListSchedulesInput{NextToken: token})
		if err == nil {
			err = awsclient.CheckList("EventBridge Scheduler", "ListSchedules", "schedules", out.Schedules)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the schedules of EventBridge Scheduler: %w", err)
		}
		found = append(found, out.Schedules...)
		return out.NextToken, nil
	}))
	return each(found, func(s scheduled.ScheduleSummary) []Task {
		if s.Target != nil && !startsTasks(aws.ToString(s.Target.Arn)) {
			return nil
		}
		out, err := r.scheduler.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: s.Name, GroupName: s.GroupName})
		if err != nil {
			r.note("scheduler:GetSchedule", fmt.Errorf("reading schedule %s: %w", aws.ToString(s.Name), err))
			return nil
		}
		if task, ok := ofSchedule(out); ok {
			return []Task{task}
		}
		return nil
	})
}

// container is a container of a task definition.
type container struct{ name, image string }

// containers returns the containers of the task definitions of tasks, by the name of
// the task definition.
func (r *reader) containers(ctx context.Context, tasks []Task) map[string][]container {
	var names []string
	for _, task := range tasks {
		names = append(names, task.Definition)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var mu sync.Mutex
	out := map[string][]container{}
	each(names, func(name string) []container {
		d, err := r.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &name})
		if err == nil && d.TaskDefinition == nil {
			err = awsclient.Incomplete("ECS", "DescribeTaskDefinition", "task definition "+name)
		}
		var absent *types.ClientException
		if errors.As(err, &absent) {
			return nil // there is no such task definition: no image of it can expire
		}
		if err != nil {
			r.note("ecs:DescribeTaskDefinition", fmt.Errorf("reading task definition %s: %w", name, err))
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		for _, c := range d.TaskDefinition.ContainerDefinitions {
			out[name] = append(out[name], container{aws.ToString(c.Name), aws.ToString(c.Image)})
		}
		return nil
	})
	return out
}

// each calls f for each element, several at once, and returns all results in the
// order of the elements.
func each[In, Out any](list []In, f func(In) []Out) []Out {
	results := make([][]Out, len(list))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, x := range list {
		g.Go(func() error {
			results[i] = f(x)
			return nil
		})
	}
	_ = g.Wait() // f returns no error
	return slices.Concat(results...)
}
