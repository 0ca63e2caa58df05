package ecs

import (
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/diagnose"
)

func TestEvidence(t *testing.T) {
	s := Service{
		Ref: Ref{Service: "arn:aws:ecs:eu-west-1:111122223333:service/shop/web"},
		Definition: Definition{ARN: "shop:7", Fields: map[string]any{"containerDefinitions": []any{
			map[string]any{"name": "web", "image": "shop/web:a1", "logConfiguration": map[string]any{
				"logDriver": "awslogs", "options": map[string]any{"awslogs-group": "/ecs/web"}}},
			map[string]any{"name": "proxy", "essential": true},
			map[string]any{"name": "sidecar", "essential": false},
		}}},
		Raw: types.Service{LoadBalancers: []types.LoadBalancer{{ContainerName: aws.String("proxy")}}},
	}
	none := map[string]string{}
	want := diagnose.Evidence{
		Cluster: "shop", Service: s.Service, TaskDefinition: "shop:7", LoadBalanced: []string{"proxy"},
		Containers: []diagnose.Container{
			{Name: "web", Image: "shop/web:a1", Essential: true, LogDriver: "awslogs", LogOptions: map[string]string{"awslogs-group": "/ecs/web"}},
			{Name: "proxy", Essential: true, LogOptions: none},
			{Name: "sidecar", LogOptions: none},
		},
	}
	if got := s.Evidence(); !reflect.DeepEqual(got, want) {
		t.Errorf("Evidence() = %+v\nwant %+v", got, want)
	}
}
