package follow

import (
	"cmp"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
	"slipway/rollout/internal/fakeaws"
)

// Without its list, an answer does not say that there is no log line, no pause,
// and no end.
func TestHollowLists(t *testing.T) {
	t.Parallel()
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"GetLogEvents": fakeaws.Fixed(fakeaws.Object{}), "DescribeServiceDeployments": fakeaws.Fixed(fakeaws.Object{}),
		"GetDeployment": fakeaws.Fixed(fakeaws.Object{}),
	})
	ref := ecs.Ref{Cluster: "shop", Service: "web"}
	under := ecs.Service{Ref: ref, Deployments: []ecs.ServiceDeployment{{ARN: fakeaws.DeploymentARN(3), Status: types.ServiceDeploymentStatusInProgress}}}
	byCodeDeploy := ecs.Service{Ref: ref, Controller: types.DeploymentControllerTypeCodeDeploy}
	for action, call := range map[string]func() error{
		"GetLogEvents": func() error {
			_, err := Follower{Logs: cloudwatchlogs.NewFromConfig(s.Config())}.lastLines(t.Context(), diagnose.LogSource{Group: "g", Stream: "s"})
			return err
		},
		"DescribeServiceDeployments": func() error {
			_, _, err := FindPause(t.Context(), s.ECS(), under)
			_, ended := HasEnded(t.Context(), s.ECS(), nil, ecs.Deployment{Service: under, ARN: fakeaws.DeploymentARN(3)})
			return cmp.Or(err, ended)
		},
		"GetDeployment of the CodeDeploy deployment": func() error {
			_, err := Follower{CodeDeploy: s.CodeDeploy()}.codeDeployment(t.Context(), "d-1")
			return err
		},
		"GetDeployment": func() error {
			_, err := HasEnded(t.Context(), nil, s.CodeDeploy(), ecs.Deployment{Service: byCodeDeploy, ID: "d-3"})
			return err
		},
	} {
		var partial *awsclient.IncompleteError
		if err := call(); !errors.As(err, &partial) || !strings.HasPrefix(action, partial.Operation) {
			t.Errorf("a hollow answer to %s: %v", action, err)
		}
	}
}
