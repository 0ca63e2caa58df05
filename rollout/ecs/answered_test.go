package ecs

import (
	"cmp"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/rollout/diagnose"
)

// TestHollowAnswers answers one action with status 200 and nothing: that is an error, not
// a service without tasks, revisions or a cluster without the service.
func TestHollowAnswers(t *testing.T) {
	t.Parallel()
	ref := Ref{"shop", "web"}
	for _, action := range []string{"DescribeServices", "DescribeTasks", "DescribeServiceRevisions", "ListTasks", "ListServiceDeployments"} {
		actions := map[string]func(object) any{
			"DescribeServices": describeFrom(describedService("shop", "web", object{
				"currentServiceRevisions": []object{{"arn": "r/1", "requestedTaskCount": 1}},
			})),
			"ListServiceDeployments":   fixed(object{"serviceDeployments": []object{}}),
			"DescribeTaskDefinition":   fixed(object{"taskDefinition": object{"taskDefinitionArn": "t", "containerDefinitions": []object{{"name": "web", "image": "i"}}}}),
			"DescribeServiceRevisions": revisionsRunning,
			"ListTasks":                taskList(1),
			"DescribeTasks":            tasksRunning(digest),
		}
		actions[action] = fixed(object{})
		s := startScript(t, actions)
		_, err := Read(t.Context(), s.ecs(), []Ref{ref})
		var partial *awsclient.IncompleteError
		if !errors.As(err, &partial) || partial.Operation != action {
			t.Errorf("Read with a hollow answer to %s: %v", action, err)
		}
		if !passing(err) {
			t.Errorf("%s: asking again is not worth it", action)
		}
	}
	d := codeDeployActions(t, map[string]func(object) any{"GetDeployment": fixed(object{})})
	_, err := Follower{CodeDeploy: d.codeDeploy()}.codeDeployment(t.Context(), "d-1")
	var partial *awsclient.IncompleteError
	if !errors.As(err, &partial) || partial.Service != "CodeDeploy" {
		t.Errorf("GetDeployment with a hollow answer: %v", err)
	}
}

// Without its list, an answer does not say that there is no scalable target, no log line,
// no pause, and no end.
func TestHollowLists(t *testing.T) {
	t.Parallel()
	s := startScript(t, map[string]func(object) any{
		"DescribeScalableTargets": fixed(object{}), "GetLogEvents": fixed(object{}), "DescribeServiceDeployments": fixed(object{}),
		"GetDeployment": fixed(object{}),
	})
	ref := Ref{"shop", "web"}
	under := Service{Ref: ref, Deployments: []ServiceDeployment{{ARN: deploymentARN(3), Status: types.ServiceDeploymentStatusInProgress}}}
	byCodeDeploy := Service{Ref: ref, Controller: types.DeploymentControllerTypeCodeDeploy}
	for action, call := range map[string]func() error{
		"DescribeScalableTargets": func() error {
			_, err := Autoscaled(t.Context(), s.autoscaling(), []Ref{ref})
			return err
		},
		"GetLogEvents": func() error {
			_, err := Follower{Logs: cloudwatchlogs.NewFromConfig(s.config())}.lastLines(t.Context(), diagnose.LogSource{Group: "g", Stream: "s"})
			return err
		},
		"DescribeServiceDeployments": func() error {
			_, _, err := FindPause(t.Context(), s.ecs(), under)
			_, ended := HasEnded(t.Context(), s.ecs(), nil, Deployment{Service: under, ARN: deploymentARN(3)})
			return cmp.Or(err, ended)
		},
		"GetDeployment": func() error {
			_, err := HasEnded(t.Context(), nil, s.codeDeploy(), Deployment{Service: byCodeDeploy, ID: "d-3"})
			return err
		},
	} {
		var partial *awsclient.IncompleteError
		if err := call(); !errors.As(err, &partial) || partial.Operation != action {
			t.Errorf("a hollow answer to %s: %v", action, err)
		}
	}
}
