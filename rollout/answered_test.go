package rollout

import (
	"errors"
	"testing"

	"slipway/internal/awsclient"
)

// TestHollowAnswers answers one action with status 200 and nothing: that is an error, not
// a service without tasks, revisions or a cluster without the service.
func TestHollowAnswers(t *testing.T) {
	t.Parallel()
	ref := Ref{"shop", "web"}
	for _, action := range []string{"DescribeServices", "DescribeTasks", "DescribeServiceRevisions"} {
		actions := map[string]func(object) any{
			"DescribeServices": describeFrom(describedService("shop", "web", object{
				"currentServiceRevisions": []object{{"arn": "r/1", "requestedTaskCount": 1}},
			})),
			"ListServiceDeployments":   fixed(object{}),
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
