package follow

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// outcomeWithoutHistory judges by what DescribeServices lists, where service deployments may not be
// read: the deployment's rolloutState, and which deployment is the primary one. ECS puts a
// rollback in its place as a new primary deployment, as anybody else's deployment would
// be; only the primary's rolloutStateReason tells them apart.
func (w *tracker) outcomeWithoutHistory() (end, string) {
	if w.service == nil {
		return underWay, ""
	}
	entry, primary := w.present(), w.primary()
	switch {
	case entry == nil && primary == nil:
		return underWay, ""
	case entry == nil || aws.ToString(entry.Status) != "PRIMARY":
		return w.displaced(primary)
	case entry.RolloutState == types.DeploymentRolloutStateCompleted:
		return arrived, ""
	case entry.RolloutState == types.DeploymentRolloutStateFailed:
		reason := aws.ToString(entry.RolloutStateReason)
		if rollsBack(*w.service) {
			return undecided, reason
		}
		return failed, reason
	case entry.RolloutState == "" && w.steady(*entry):
		// Services behind a Classic Load Balancer have no rolloutState.
		return arrived, ""
	default:
		return underWay, ""
	}
}

// displaced judges a deployment that is not the primary one any more.
func (w *tracker) displaced(primary *types.Deployment) (end, string) {
	reason := ""
	if w.entry != nil && w.entry.RolloutState == types.DeploymentRolloutStateFailed {
		reason = aws.ToString(w.entry.RolloutStateReason)
	}
	if primary == nil {
		return underWay, ""
	}
	if w.entry == nil && !aws.ToTime(primary.CreatedAt).After(w.d.Created) {
		// The answer is older than the deployment.
		return undecided, "ECS does not list the deployment"
	}
	why := aws.ToString(primary.RolloutStateReason)
	back := reason != "" || strings.Contains(strings.ToLower(why), "rolling back") || aws.ToTime(primary.CreatedAt).Before(w.d.Created)
	switch {
	case !back:
		return superseded, another(*primary)
	case primary.RolloutState == types.DeploymentRolloutStateFailed:
		return failed, join("ECS tried to roll back and did not manage to", reason, why)
	case primary.RolloutState == types.DeploymentRolloutStateInProgress:
		return underWay, ""
	default:
		return rolledBack, join(reason, why)
	}
}

// steady is the end of a deployment without a rolloutState: alone, and all tasks run.
func (w *tracker) steady(e types.Deployment) bool {
	return len(w.service.Deployments) == 1 && e.RunningCount == e.DesiredCount && e.PendingCount == 0
}

// rollsBack tells whether ECS is set to roll the service back by itself.
func rollsBack(s types.Service) bool {
	c := s.DeploymentConfiguration
	if c == nil {
		return false
	}
	return c.DeploymentCircuitBreaker != nil && c.DeploymentCircuitBreaker.Rollback || c.Alarms != nil && c.Alarms.Rollback
}
