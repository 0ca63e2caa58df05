package ecs

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"slipway/internal/awsclient"
)

type targetDescriber interface {
	DescribeScalableTargets(context.Context, *applicationautoscaling.DescribeScalableTargetsInput, ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScalableTargetsOutput, error)
}

// ScalingLimits is the range in which autoscaling sets a service's desired
// count.
type ScalingLimits struct {
	// Min and Max bound the desired count.
	Min, Max int
	// Suspended is true where autoscaling will not raise the count: neither its
	// alarms nor its schedule.
	Suspended bool
}

// Autoscaled reads the ranges of those services that Application Auto Scaling
// scales, with one call for each page of 50 of them.
func Autoscaled(ctx context.Context, client targetDescriber, refs []Ref) (map[Ref]ScalingLimits, error) {
	byID := map[string][]Ref{}
	for _, ref := range refs {
		cluster, service := Service{Ref: ref}.ShortNames()
		id := "service/" + cluster + "/" + service
		byID[id] = append(byID[id], ref)
	}
	ranges := map[Ref]ScalingLimits{}
	if len(refs) == 0 {
		return ranges, nil // without ids, all targets of the account would be answered
	}
	in := &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
		ResourceIds: sortedKeys(byID),
	}
	err := awsclient.EachPage("Application Auto Scaling DescribeScalableTargets", func(token *string) (*string, error) {
		in.NextToken = token
		out, err := client.DescribeScalableTargets(ctx, in)
		if err == nil {
			err = awsclient.CheckList("Application Auto Scaling", "DescribeScalableTargets", "scalable targets", out.ScalableTargets)
		}
		if err != nil {
			return nil, err
		}
		for _, target := range out.ScalableTargets {
			for _, ref := range byID[aws.ToString(target.ResourceId)] {
				ranges[ref] = rangeOf(target)
			}
		}
		return out.NextToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the autoscaling limits of the ECS services: %w", err)
	}
	return ranges, nil
}

func rangeOf(t types.ScalableTarget) ScalingLimits {
	r := ScalingLimits{Min: int(aws.ToInt32(t.MinCapacity)), Max: int(aws.ToInt32(t.MaxCapacity))}
	if s := t.SuspendedState; s != nil {
		r.Suspended = aws.ToBool(s.DynamicScalingOutSuspended) && aws.ToBool(s.ScheduledScalingSuspended)
	}
	return r
}
