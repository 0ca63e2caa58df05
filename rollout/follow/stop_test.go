package follow

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/rollout/ecs"
	"slipway/rollout/internal/fakeaws"
)

func TestStopDeployment(t *testing.T) {
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"StopServiceDeployment": fakeaws.Fixed(fakeaws.Object{"serviceDeploymentArn": fakeaws.DeploymentARN(3)}),
		"StopDeployment":        fakeaws.Fixed(fakeaws.Object{"status": "Pending"}),
	})
	d := ecs.Deployment{ID: "ecs-svc/3", ARN: fakeaws.DeploymentARN(3)}
	if err := StopDeployment(t.Context(), s.ECS(), s.CodeDeploy(), d); err != nil {
		t.Fatal(err)
	}
	if in := s.Of("StopServiceDeployment")[0].In; in["serviceDeploymentArn"] != fakeaws.DeploymentARN(3) || in["stopType"] != "ROLLBACK" {
		t.Errorf("StopServiceDeployment was sent %v", in)
	}
	d = ecs.Deployment{ID: "d-3", Service: ecs.Service{Controller: "CODE_DEPLOY"}}
	if err := StopDeployment(t.Context(), s.ECS(), s.CodeDeploy(), d); err != nil {
		t.Fatal(err)
	}
	if in := s.Of("StopDeployment")[0].In; in["deploymentId"] != "d-3" || in["autoRollbackEnabled"] != true {
		t.Errorf("StopDeployment was sent %v", in)
	}
	s.WantCalls(map[string]int{"StopServiceDeployment": 1, "StopDeployment": 1})
}

// A stop that is answered with nothing is asked for again; it is not taken for
// done.
func TestStopDeploymentWithHollowAnswers(t *testing.T) {
	service := ecs.Service{Ref: ecs.Ref{Cluster: "shop", Service: "web"}}
	byCodeDeploy := service
	byCodeDeploy.Controller = types.DeploymentControllerTypeCodeDeploy
	for action, d := range map[string]ecs.Deployment{
		"StopServiceDeployment": {Service: service, ID: "ecs-svc/3", ARN: fakeaws.DeploymentARN(3)},
		"StopDeployment":        {Service: byCodeDeploy, ID: "d-3"},
	} {
		for hollow, want := range map[int]bool{1: true, 2: false} {
			n := 0
			s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{action: func(fakeaws.Object) any {
				if n++; n <= hollow {
					return fakeaws.Object{}
				}
				return fakeaws.Object{"serviceDeploymentArn": fakeaws.DeploymentARN(3), "status": "Pending"}
			}})
			err := StopDeployment(t.Context(), s.ECS(), s.CodeDeploy(), d)
			var partial *awsclient.IncompleteError
			if stopped := err == nil; stopped != want || !stopped && (!errors.As(err, &partial) || partial.Operation != action) {
				t.Errorf("%s after %d hollow answers: %v", action, hollow, err)
			}
		}
	}
}

func TestStopDeploymentFindsTheDeployment(t *testing.T) {
	lists := 0
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"ListServiceDeployments": func(fakeaws.Object) any {
			if lists++; lists == 1 {
				return fakeaws.Object{"serviceDeployments": []fakeaws.Object{}} // ECS lists a new deployment some seconds late
			}
			return fakeaws.Object{"serviceDeployments": []fakeaws.Object{fakeaws.ListedDeployment(3, "IN_PROGRESS")}}
		},
		"StopServiceDeployment": fakeaws.Fixed(fakeaws.Refusal{Code: "ServiceDeploymentNotFoundException"}),
	})
	d := ecs.Deployment{ID: "ecs-svc/3", Created: time.Unix(180, 0), Service: ecs.Service{Ref: ecs.Ref{Cluster: "shop", Service: "web"}}}
	err := StopDeployment(t.Context(), s.ECS(), nil, d)
	if !errors.As(err, new(*types.ServiceDeploymentNotFoundException)) {
		t.Errorf("error %v", err)
	}
	if got, want := s.Order(), []string{"ListServiceDeployments", "ListServiceDeployments", "StopServiceDeployment"}; !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
	if in := s.Of("StopServiceDeployment")[0].In; in["serviceDeploymentArn"] != fakeaws.DeploymentARN(3) {
		t.Errorf("StopServiceDeployment was sent %v", in)
	}
}

func TestStopDeploymentThatIsNeverListed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"ListServiceDeployments": func(fakeaws.Object) any {
		time.AfterFunc(50*time.Millisecond, cancel)
		return fakeaws.Object{"serviceDeployments": []fakeaws.Object{}}
	}})
	err := StopDeployment(ctx, s.ECS(), nil, ecs.Deployment{ID: "ecs-svc/3", Service: ecs.Service{Ref: ecs.Ref{Cluster: "shop", Service: "web"}}})
	if !errors.Is(err, ErrNotListed) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
