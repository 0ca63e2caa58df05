package ecs

import (
	"errors"
	"testing"

	"slipway/internal/awsclient"
	"slipway/rollout/internal/fakeaws"
)

// TestHollowAnswers answers one action with status 200 and nothing: that is an
// error, not a service without tasks, revisions or a cluster without the
// service.
func TestHollowAnswers(t *testing.T) {
	t.Parallel()
	ref := Ref{"shop", "web"}
	for _, action := range []string{"DescribeServices", "DescribeTasks", "DescribeServiceRevisions", "ListTasks", "ListServiceDeployments"} {
		actions := map[string]func(fakeaws.Object) any{
			"DescribeServices": fakeaws.AnswerServices(fakeaws.DescribedService("shop", "web", fakeaws.Object{
				"currentServiceRevisions": []fakeaws.Object{{"arn": "r/1", "requestedTaskCount": 1}},
			})),
			"ListServiceDeployments":   fakeaws.Fixed(fakeaws.Object{"serviceDeployments": []fakeaws.Object{}}),
			"DescribeTaskDefinition":   fakeaws.Fixed(fakeaws.Object{"taskDefinition": fakeaws.Object{"taskDefinitionArn": "t", "containerDefinitions": []fakeaws.Object{{"name": "web", "image": "i"}}}}),
			"DescribeServiceRevisions": revisionsRunning,
			"ListTasks":                taskList(1),
			"DescribeTasks":            tasksRunning(digest),
		}
		actions[action] = fakeaws.Fixed(fakeaws.Object{})
		s := fakeaws.Start(t, actions)
		_, err := Read(t.Context(), s.ECS(), []Ref{ref})
		var partial *awsclient.IncompleteError
		if !errors.As(err, &partial) || partial.Operation != action {
			t.Errorf("Read with a hollow answer to %s: %v", action, err)
		}
		if !awsclient.Retryable(err) {
			t.Errorf("%s: asking again is not worth it", action)
		}
	}
}

// Without its list, an answer does not say that there is no scalable target.
func TestAutoscaledWithoutList(t *testing.T) {
	t.Parallel()
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"DescribeScalableTargets": fakeaws.Fixed(fakeaws.Object{})})
	_, err := Autoscaled(t.Context(), s.Autoscaling(), []Ref{{"shop", "web"}})
	var partial *awsclient.IncompleteError
	if !errors.As(err, &partial) || partial.Operation != "DescribeScalableTargets" {
		t.Errorf("Autoscaled with an empty answer: error %v, want an *awsclient.IncompleteError", err)
	}
}
