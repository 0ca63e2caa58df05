package ecs

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
)

// HistoryUnavailable reports whether an error of ListServiceDeployments,
// DescribeServiceDeployments or DescribeServiceRevisions does not go away by
// repetition: the caller lacks the permission, or ECS lacks the operation
// there. DescribeServices then shows less of the same.
func HistoryUnavailable(err error) bool {
	var api smithy.APIError
	if awsclient.Denied(err) {
		return true
	}
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "UnsupportedFeatureException", "UnknownOperationException", "InvalidAction":
		return true
	default:
		return false
	}
}

// primaryDeployment returns the deployment that a service moves to or has
// reached, as far as DescribeServices describes it; false where it has none.
// Its ARN and revision are empty where they are not known.
func primaryDeployment(raw types.Service) (ServiceDeployment, bool) {
	p := PrimaryDeployment(raw)
	if p == nil {
		return ServiceDeployment{}, false
	}
	out := ServiceDeployment{
		ARN: aws.ToString(raw.CurrentServiceDeployment), Status: statusOf(raw, *p),
		Reason: aws.ToString(p.RolloutStateReason), Created: aws.ToTime(p.CreatedAt),
	}
	for _, r := range raw.CurrentServiceRevisions {
		if n := awsname.AfterSlash(aws.ToString(p.Id)); n != "" && n == awsname.AfterSlash(aws.ToString(r.Arn)) {
			out.Revision = aws.ToString(r.Arn)
		}
	}
	return out, true
}

// statusOf returns the status of a service deployment that the rolloutState of
// a deployment stands for. Services behind a Classic Load Balancer have none.
func statusOf(raw types.Service, p types.Deployment) types.ServiceDeploymentStatus {
	settled := len(raw.Deployments) == 1 && p.RunningCount == p.DesiredCount && p.PendingCount == 0
	switch {
	case p.RolloutState == types.DeploymentRolloutStateCompleted, p.RolloutState == "" && settled:
		return types.ServiceDeploymentStatusSuccessful
	case p.RolloutState == types.DeploymentRolloutStateFailed:
		return types.ServiceDeploymentStatusStopped
	default:
		return types.ServiceDeploymentStatusInProgress
	}
}

// PrimaryDeployment returns the deployment that a service moves to or has
// reached (API reference, Deployment.status), nil where it has none.
func PrimaryDeployment(raw types.Service) *types.Deployment {
	for _, d := range raw.Deployments {
		if aws.ToString(d.Status) == "PRIMARY" {
			return &d
		}
	}
	return nil
}
