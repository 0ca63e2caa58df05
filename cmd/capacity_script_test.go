package cmd

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// provider NAME [KEY=VALUE...] makes a capacity provider of an Auto Scaling group. The
// keys status, update-status and update-reason give it another status than ACTIVE.
func makeProvider(ts *testscript.TestScript, _ bool, args []string) {
	in := &ecs.CreateCapacityProviderInput{
		Name: &args[0], AutoScalingGroupProvider: &types.AutoScalingGroupProvider{
			AutoScalingGroupArn: aws.String("arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:1:autoScalingGroupName/" + args[0]),
			ManagedScaling:      &types.ManagedScaling{Status: types.ManagedScalingStatusEnabled},
		},
	}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		in.Tags = append(in.Tags, types.Tag{Key: aws.String("slipway.sandbox." + key), Value: &value})
	}
	_, err := ecsSandboxOf(ts).ecs.CreateCapacityProvider(context.Background(), in)
	ts.Check(err)
}

// room CLUSTER none|some says whether tasks find room in a cluster.
func setRoom(ts *testscript.TestScript, _ bool, args []string) {
	_, err := ecsSandboxOf(ts).ecs.TagResource(context.Background(), &ecs.TagResourceInput{
		ResourceArn: aws.String("arn:aws:ecs:us-east-1:000000000000:cluster/" + args[0]),
		Tags:        []types.Tag{{Key: aws.String("slipway.sandbox.capacity"), Value: &args[1]}},
	})
	ts.Check(err)
}

// strategyOf returns a strategy of providers with the same weight.
func strategyOf(providers []string) (out []types.CapacityProviderStrategyItem) {
	for _, name := range providers {
		out = append(out, types.CapacityProviderStrategyItem{CapacityProvider: &name, Weight: 1})
	}
	return out
}
