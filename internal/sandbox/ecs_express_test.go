package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

// TestExpressMode makes a service of Express Mode, changes it by either way, and
// has Express Mode overwrite the change.
func TestExpressMode(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one")
	c.push("two", "v=2")
	ctx := t.Context()
	created, err := c.ecs.CreateExpressGatewayService(ctx, &ecs.CreateExpressGatewayServiceInput{
		Cluster: aws.String("shop"), ServiceName: aws.String("shop"), InfrastructureRoleArn: aws.String("arn:aws:iam::000000000000:role/infra"),
		ExecutionRoleArn: aws.String("arn:aws:iam::000000000000:role/run"), PrimaryContainer: &types.ExpressGatewayContainer{Image: aws.String(c.uri + ":one")},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.s.Advance(5 * time.Minute)
	if s := c.service(); s.ResourceManagementType != types.ResourceManagementTypeEcs || s.RunningCount != 1 {
		t.Errorf("service %+v", s)
	}
	arn := created.Service.ServiceArn
	update := func(in ecs.UpdateExpressGatewayServiceInput) error {
		in.ServiceArn = arn
		_, err := c.ecs.UpdateExpressGatewayService(ctx, &in)
		return err
	}
	other := c.define(c.web(c.uri + ":two"))
	for text, in := range map[string]ecs.UpdateExpressGatewayServiceInput{
		"a container named Main": {TaskDefinitionArn: &other},
		"both taskDefinitionArn": {TaskDefinitionArn: &other, PrimaryContainer: &types.ExpressGatewayContainer{Image: aws.String(c.uri + ":two")}},
	} {
		if err := update(in); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("update ends with %v, want %q", err, text)
		}
	}
	mine, err := c.ecs.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("mine"), NetworkMode: types.NetworkModeAwsvpc, RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		Cpu: aws.String("256"), Memory: aws.String("512"), ExecutionRoleArn: aws.String("arn:aws:iam::000000000000:role/run"),
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("Main"), Image: aws.String(c.uri + ":two")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.update(*mine.TaskDefinition.TaskDefinitionArn)
	c.s.Advance(5 * time.Minute)
	if err := update(ecs.UpdateExpressGatewayServiceInput{PrimaryContainer: &types.ExpressGatewayContainer{Image: aws.String(c.uri + ":one")}}); err != nil {
		t.Fatal(err)
	}
	c.s.Advance(5 * time.Minute)
	out, err := c.ecs.DescribeExpressGatewayService(ctx, &ecs.DescribeExpressGatewayServiceInput{ServiceArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	if image := aws.ToString(out.Service.ActiveConfigurations[0].PrimaryContainer.Image); image != c.uri+":one" {
		t.Errorf("image %s after an update of Express Mode, want %s:one", image, c.uri)
	}
}
