package cmd

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// started CLUSTER DEFINITION starts a standalone task on Fargate, as others do.
func startTask(ts *testscript.TestScript, _ bool, args []string) {
	_, err := ecsSandboxOf(ts).ecs.RunTask(context.Background(), &ecs.RunTaskInput{
		Cluster: &args[0], TaskDefinition: &args[1], LaunchType: types.LaunchTypeFargate, StartedBy: aws.String("somebody"),
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
	})
	ts.Check(err)
}
