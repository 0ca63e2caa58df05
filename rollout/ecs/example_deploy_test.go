package ecs_test

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/ecs"
)

// A service whose task definition names its image by a hash, rolled back to
// another.
func ExampleDecide() {
	const now, wanted = "sha256:bbbbbbbbbbbbbbbb", "sha256:aaaaaaaaaaaaaaaa"
	service := ecs.Service{
		Ref:        ecs.Ref{Cluster: "shop", Service: "web"},
		Controller: types.DeploymentControllerTypeEcs,
		Desired:    2,
		Definition: ecs.Definition{Family: "shop", Fields: map[string]any{
			"containerDefinitions": []any{map[string]any{"name": "web", "image": "shop/web:b2"}},
		}},
		Containers: []ecs.Container{{Name: "web", Image: "shop/web:b2", Resolved: now, Running: map[string]int{now: 2}}},
	}
	change, err := ecs.Decide(service, map[string]ecs.DesiredImage{
		"web": {Image: "shop/web:a1", Digests: []string{wanted}},
	}, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(change.Action)
	for _, line := range change.Lines {
		fmt.Println(line)
	}
	// Output:
	// register
	// web: shop/web:b2 (sha256:bbbbbbbbbbbb) → shop/web:a1 (sha256:aaaaaaaaaaaa)
}

// Only the image changes; what the SDK knows nothing of stays.
func ExampleDefinition_WithImages() {
	present := ecs.Definition{ARN: "arn:aws:ecs:eu-west-1:111111111111:task-definition/shop:7", Family: "shop", Fields: map[string]any{
		"family": "shop", "revision": 7, "newField": true,
		"containerDefinitions": []any{map[string]any{"name": "web", "image": "shop/web:b2"}},
	}}
	next, err := present.WithImages(map[string]string{"web": "shop/web:a1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(next.Fields)
	_, err = present.WithImages(map[string]string{"wbe": "shop/web:a1"})
	fmt.Println(err)
	// Output:
	// map[containerDefinitions:[map[image:shop/web:a1 name:web]] family:shop newField:true]
	// task definition shop:7 has no container wbe; it has web
}

// Two services were deployed one after the other: the states between are
// offered too.
func ExamplePrevious() {
	at := func(minute int, digest string) ecs.ServiceDeployment {
		return ecs.ServiceDeployment{Created: time.Unix(int64(60*minute), 0), Digests: map[string]string{"app": digest}}
	}
	web, api := ecs.Ref{Cluster: "shop", Service: "web"}, ecs.Ref{Cluster: "shop", Service: "api"}
	present := map[string]string{"app": "new"}
	for state := range ecs.Previous([]ecs.History{
		{Ref: web, Present: present, Successful: []ecs.ServiceDeployment{at(21, "new"), at(11, "old")}},
		{Ref: api, Present: present, Successful: []ecs.ServiceDeployment{at(20, "new"), at(10, "old")}},
	}) {
		fmt.Println("web", state[web]["app"], "api", state[api]["app"])
	}
	// Output:
	// web old api new
	// web old api old
}
