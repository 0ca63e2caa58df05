package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func autoscalingClient(s *sandbox.Server) *applicationautoscaling.Client {
	return applicationautoscaling.NewFromConfig(testkit.AWSConfig(s.URL()))
}

func TestScalableTargets(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := autoscalingClient(s)
	register := func(resource string, low, high *int32, suspended *types.SuspendedState) error {
		_, err := c.RegisterScalableTarget(t.Context(), &applicationautoscaling.RegisterScalableTargetInput{
			ServiceNamespace: types.ServiceNamespaceEcs, ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
			ResourceId: &resource, MinCapacity: low, MaxCapacity: high, SuspendedState: suspended,
		})
		return err
	}
	for i := range 55 {
		if err := register(fmt.Sprintf("service/shop/web%02d", i), aws.Int32(2), aws.Int32(8), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := register("service/shop/web07", nil, aws.Int32(9), &types.SuspendedState{DynamicScalingOutSuspended: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	count := 0
	pages := applicationautoscaling.NewDescribeScalableTargetsPaginator(c, &applicationautoscaling.DescribeScalableTargetsInput{ServiceNamespace: types.ServiceNamespaceEcs})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(page.ScalableTargets) > 50 {
			t.Errorf("a page of %d", len(page.ScalableTargets))
		}
		count += len(page.ScalableTargets)
	}
	if count != 55 {
		t.Errorf("%d targets, want 55", count)
	}

	one := &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ResourceIds: []string{"service/shop/web07", "service/shop/none"},
	}
	out, err := c.DescribeScalableTargets(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.ScalableTargets) != 1 {
		t.Fatalf("targets are %+v, want web07", out.ScalableTargets)
	}
	if got := out.ScalableTargets[0]; *got.MinCapacity != 2 || *got.MaxCapacity != 9 || !*got.SuspendedState.DynamicScalingOutSuspended ||
		got.CreationTime.IsZero() || *got.ResourceId != "service/shop/web07" {
		t.Errorf("target is %+v", got)
	}

	gone := &applicationautoscaling.DeregisterScalableTargetInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ScalableDimension: types.ScalableDimensionECSServiceDesiredCount, ResourceId: aws.String("service/shop/web07"),
	}
	if _, err := c.DeregisterScalableTarget(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if out, err := c.DescribeScalableTargets(t.Context(), one); err != nil || len(out.ScalableTargets) != 0 {
		t.Errorf("after deregistering: %v %+v", err, out)
	}
	_, err = c.DeregisterScalableTarget(t.Context(), gone)
	wantCode(t, err, "ObjectNotFoundException")

	for name, err := range map[string]error{
		"no maximum":     register("service/shop/new", aws.Int32(1), nil, nil),
		"minimum above":  register("service/shop/new", aws.Int32(5), aws.Int32(4), nil),
		"minimum raised": register("service/shop/web08", aws.Int32(9), nil, nil),
		"negative":       register("service/shop/new", aws.Int32(-1), aws.Int32(4), nil),
		"no service":     register("table/shop", aws.Int32(1), aws.Int32(4), nil),
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, err, "ValidationException") })
	}
	_, err = c.DescribeScalableTargets(t.Context(), &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
	})
	wantCode(t, err, "ValidationException")
}
