package sandbox_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

// newProvider makes a capacity provider called group, and a cluster called own with it.
func newProvider(t *testing.T, c *ecsFixture) {
	t.Helper()
	group := &types.AutoScalingGroupProvider{AutoScalingGroupArn: aws.String("arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:1:autoScalingGroupName/group")}
	if _, err := c.ecs.CreateCapacityProvider(t.Context(), &ecs.CreateCapacityProviderInput{Name: aws.String("group"), AutoScalingGroupProvider: group}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("own"), CapacityProviders: []string{"group"}}); err != nil {
		t.Fatal(err)
	}
}

// ownService makes a service in the cluster own by a strategy.
func ownService(t *testing.T, c *ecsFixture, definition, provider string) error {
	t.Helper()
	_, err := c.ecs.CreateService(t.Context(), &ecs.CreateServiceInput{
		Cluster: aws.String("own"), ServiceName: aws.String("web"), TaskDefinition: &definition, DesiredCount: aws.Int32(1),
		CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: &provider, Weight: 1}},
	})
	return err
}

// A deployment keeps the strategy, and a strategy names providers of the cluster.
func TestCapacityProviderStrategy(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one")
	newProvider(t, c)
	one, two := c.define(c.web(c.uri+":one")), c.define(c.web(c.uri+":one"))
	wantCode(t, ownService(t, c, one, "FARGATE"), "InvalidParameterException")
	if err := ownService(t, c, one, "group"); err != nil {
		t.Fatal(err)
	}
	out, err := c.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{
		Cluster: aws.String("own"), Service: aws.String("web"), TaskDefinition: &two, ForceNewDeployment: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range [][]types.CapacityProviderStrategyItem{out.Service.CapacityProviderStrategy, out.Service.Deployments[0].CapacityProviderStrategy} {
		if len(got) != 1 || *got[0].CapacityProvider != "group" {
			t.Errorf("the strategy is %+v, want group", got)
		}
	}
	_, err = c.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{
		Cluster: aws.String("own"), Service: aws.String("web"),
		CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("other")}},
	})
	wantCode(t, err, "InvalidParameterException")

	described, err := c.ecs.DescribeCapacityProviders(t.Context(), &ecs.DescribeCapacityProvidersInput{CapacityProviders: []string{"group", "FARGATE", "other"}})
	if err != nil || len(described.CapacityProviders) != 2 || len(described.Failures) != 1 || *described.Failures[0].Reason != "MISSING" {
		t.Errorf("DescribeCapacityProviders: %+v, %v", described, err)
	}
	all, err := c.ecs.DescribeCapacityProviders(t.Context(), &ecs.DescribeCapacityProvidersInput{})
	if err != nil || len(all.CapacityProviders) != 3 {
		t.Errorf("DescribeCapacityProviders of all: %+v, %v", all, err)
	}
}

// Tasks wait in PROVISIONING until managed scaling has room for them.
func TestManagedScaling(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one")
	newProvider(t, c)
	arn := aws.String("arn:aws:ecs:us-east-1:000000000000:cluster/own")
	tag := types.Tag{Key: aws.String("slipway.sandbox.capacity"), Value: aws.String("none")}
	if _, err := c.ecs.TagResource(t.Context(), &ecs.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{tag}}); err != nil {
		t.Fatal(err)
	}
	if err := ownService(t, c, c.define(c.web(c.uri+":one")), "group"); err != nil {
		t.Fatal(err)
	}
	status := func() string {
		t.Helper()
		list, err := c.ecs.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String("own")})
		if err != nil || len(list.TaskArns) != 1 {
			t.Fatalf("ListTasks: %+v, %v", list, err)
		}
		out, err := c.ecs.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("own"), Tasks: list.TaskArns})
		if err != nil || len(out.Tasks) != 1 || aws.ToString(out.Tasks[0].CapacityProviderName) != "group" {
			t.Fatalf("DescribeTasks: %+v, %v", out, err)
		}
		return *out.Tasks[0].LastStatus
	}
	c.s.Advance(10 * time.Minute)
	if got := status(); got != "PROVISIONING" {
		t.Errorf("the task is %s, want PROVISIONING", got)
	}
	if _, err := c.ecs.UntagResource(t.Context(), &ecs.UntagResourceInput{ResourceArn: arn, TagKeys: []string{*tag.Key}}); err != nil {
		t.Fatal(err)
	}
	c.s.Advance(10 * time.Minute)
	if got := status(); got != "RUNNING" {
		t.Errorf("the task is %s, want RUNNING", got)
	}
}
