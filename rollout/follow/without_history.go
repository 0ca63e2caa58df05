package follow

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// stateWithoutHistory returns the state by what DescribeServices lists, where
// service deployments cannot be read: the deployment's rolloutState, and which
// deployment is the primary one. ECS puts a rollback in its place as a new
// primary deployment, as any other deployment would be; only the primary's
// rolloutStateReason distinguishes them.
func (tr *tracker) stateWithoutHistory() (state, string) {
	if tr.service == nil {
		return stateInProgress, ""
	}
	entry, primary := tr.listedNow(), tr.primary()
	switch {
	case entry == nil && primary == nil:
		return stateInProgress, ""
	case entry == nil || aws.ToString(entry.Status) != "PRIMARY":
		return tr.stateWhenReplaced(primary)
	case entry.RolloutState == types.DeploymentRolloutStateCompleted:
		return stateSuccessful, ""
	case entry.RolloutState == types.DeploymentRolloutStateFailed:
		reason := aws.ToString(entry.RolloutStateReason)
		if rollsBack(*tr.service) {
			return stateUndecided, reason
		}
		return stateFailed, reason
	case entry.RolloutState == "" && tr.isSteady(*entry):
		// Services behind a Classic Load Balancer have no rolloutState.
		return stateSuccessful, ""
	default:
		return stateInProgress, ""
	}
}

// stateWhenReplaced returns the state of a deployment that is no longer the
// primary one.
func (tr *tracker) stateWhenReplaced(primary *types.Deployment) (state, string) {
	reason := ""
	if tr.lastListed != nil && tr.lastListed.RolloutState == types.DeploymentRolloutStateFailed {
		reason = aws.ToString(tr.lastListed.RolloutStateReason)
	}
	if primary == nil {
		return stateInProgress, ""
	}
	if tr.lastListed == nil && !aws.ToTime(primary.CreatedAt).After(tr.d.Created) {
		// The answer is older than the deployment.
		return stateUndecided, "ECS does not list the deployment"
	}
	why := aws.ToString(primary.RolloutStateReason)
	back := reason != "" || strings.Contains(strings.ToLower(why), "rolling back") || aws.ToTime(primary.CreatedAt).Before(tr.d.Created)
	switch {
	case !back:
		return stateSuperseded, supersededReason(*primary)
	case primary.RolloutState == types.DeploymentRolloutStateFailed:
		return stateFailed, join("the rollback failed", reason, why)
	case primary.RolloutState == types.DeploymentRolloutStateInProgress:
		return stateInProgress, ""
	default:
		return stateRolledBack, join(reason, why)
	}
}

// isSteady reports whether a deployment without a rolloutState has ended: it is
// alone, and all its tasks run.
func (tr *tracker) isSteady(e types.Deployment) bool {
	return len(tr.service.Deployments) == 1 && e.RunningCount == e.DesiredCount && e.PendingCount == 0
}

// rollsBack reports whether ECS is set to roll the service back by itself.
func rollsBack(s types.Service) bool {
	c := s.DeploymentConfiguration
	if c == nil {
		return false
	}
	return c.DeploymentCircuitBreaker != nil && c.DeploymentCircuitBreaker.Rollback || c.Alarms != nil && c.Alarms.Rollback
}
