package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
)

// answered makes sure that an answer of ECS has everything that was asked for by ARN or
// name, or says why not: what is missing without a word would be taken for not there.
func answered(operation, what string, asked, seen []string, failures []types.Failure) error {
	for _, f := range failures {
		seen = append(seen, aws.ToString(f.Arn))
	}
	for _, item := range asked {
		if !slices.ContainsFunc(seen, func(s string) bool { return awsname.LastPart(s) == awsname.LastPart(item) }) {
			return awsclient.Incomplete("ECS", operation, what+" "+item)
		}
	}
	return nil
}

// answeredTasks is answered for DescribeTasks.
func answeredTasks(asked []string, tasks []types.Task, failures []types.Failure) error {
	var seen []string
	for _, t := range tasks {
		seen = append(seen, aws.ToString(t.TaskArn))
	}
	return answered("DescribeTasks", "task", asked, seen, failures)
}

// answeredDeployments is answered for DescribeServiceDeployments.
func answeredDeployments(asked []string, answer *ecs.DescribeServiceDeploymentsOutput) error {
	var seen []string
	for _, sd := range answer.ServiceDeployments {
		seen = append(seen, aws.ToString(sd.ServiceDeploymentArn))
	}
	return answered("DescribeServiceDeployments", "service deployment", asked, seen, answer.Failures)
}

// answeredProtection is answered for GetTaskProtection.
func answeredProtection(asked []string, answer *ecs.GetTaskProtectionOutput) error {
	var seen []string
	for _, t := range answer.ProtectedTasks {
		seen = append(seen, aws.ToString(t.TaskArn))
	}
	return answered("GetTaskProtection", "task", asked, seen, answer.Failures)
}

// answeredRevisions is answered for DescribeServiceRevisions.
func answeredRevisions(asked []string, revisions []types.ServiceRevision, failures []types.Failure) error {
	var seen []string
	for _, r := range revisions {
		seen = append(seen, aws.ToString(r.ServiceRevisionArn))
	}
	return answered("DescribeServiceRevisions", "service revision", asked, seen, failures)
}

// answeredServices is answered for DescribeServices.
func answeredServices(asked []string, services []types.Service, failures []types.Failure) error {
	var seen []string
	for _, s := range services {
		seen = append(seen, aws.ToString(s.ServiceArn), aws.ToString(s.ServiceName))
	}
	return answered("DescribeServices", "ECS service", asked, seen, failures)
}

// listed makes sure that an answer has the list that was asked for. An empty list is there
// all the same, as [] in JSON; without it, nothing would be taken for none.
func listed[T any](service, operation, what string, list []T) error {
	if list == nil {
		return awsclient.Incomplete(service, operation, "a list of "+what)
	}
	return nil
}

// unanswered is the answer to GetDeployment that lacks the deployment.
func unanswered(id string) error {
	return awsclient.Incomplete("CodeDeploy", "GetDeployment", "deployment "+id)
}
