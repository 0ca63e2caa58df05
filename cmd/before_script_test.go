package cmd

import (
	"context"
	"encoding/json"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// family FAMILY FILE writes the newest task definition of a family to a file.
func writeFamily(ts *testscript.TestScript, _ bool, args []string) {
	out, err := ecsSandboxOf(ts).ecs.DescribeTaskDefinition(context.Background(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: &args[0]})
	ts.Check(err)
	text, err := json.MarshalIndent(out.TaskDefinition, "", " ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}

// started CLUSTER DEFINITION starts a standalone task on Fargate, as others do.
func startTask(ts *testscript.TestScript, _ bool, args []string) {
	_, err := ecsSandboxOf(ts).ecs.RunTask(context.Background(), &ecs.RunTaskInput{
		Cluster: &args[0], TaskDefinition: &args[1], LaunchType: types.LaunchTypeFargate, StartedBy: aws.String("somebody"),
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
	})
	ts.Check(err)
}
