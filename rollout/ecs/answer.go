package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
)

// CheckAnswer returns an *awsclient.IncompleteError if an answer of ECS names
// an item that was asked for, by ARN or name, neither among its results nor
// among its failures. Without the check, such an item would count as not there.
func CheckAnswer(operation, what string, asked, seen []string, failures []types.Failure) error {
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

// CheckTasks is CheckAnswer for DescribeTasks.
func CheckTasks(asked []string, tasks []types.Task, failures []types.Failure) error {
	var seen []string
	for _, t := range tasks {
		seen = append(seen, aws.ToString(t.TaskArn))
	}
	return CheckAnswer("DescribeTasks", "task", asked, seen, failures)
}

// CheckRevisions is CheckAnswer for DescribeServiceRevisions.
func CheckRevisions(asked []string, revisions []types.ServiceRevision, failures []types.Failure) error {
	var seen []string
	for _, r := range revisions {
		seen = append(seen, aws.ToString(r.ServiceRevisionArn))
	}
	return CheckAnswer("DescribeServiceRevisions", "service revision", asked, seen, failures)
}

// CheckServices is CheckAnswer for DescribeServices.
func CheckServices(asked []string, services []types.Service, failures []types.Failure) error {
	var seen []string
	for _, s := range services {
		seen = append(seen, aws.ToString(s.ServiceArn), aws.ToString(s.ServiceName))
	}
	return CheckAnswer("DescribeServices", "ECS service", asked, seen, failures)
}
