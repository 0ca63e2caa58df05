package follow

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"

	"slipway/rollout/ecs"
)

// checkDeployments is ecs.CheckAnswer for DescribeServiceDeployments.
func checkDeployments(asked []string, answer *awsecs.DescribeServiceDeploymentsOutput) error {
	var seen []string
	for _, sd := range answer.ServiceDeployments {
		seen = append(seen, aws.ToString(sd.ServiceDeploymentArn))
	}
	return ecs.CheckAnswer("DescribeServiceDeployments", "service deployment", asked, seen, answer.Failures)
}

// checkProtection is ecs.CheckAnswer for GetTaskProtection.
func checkProtection(asked []string, answer *awsecs.GetTaskProtectionOutput) error {
	var seen []string
	for _, t := range answer.ProtectedTasks {
		seen = append(seen, aws.ToString(t.TaskArn))
	}
	return ecs.CheckAnswer("GetTaskProtection", "task", asked, seen, answer.Failures)
}
