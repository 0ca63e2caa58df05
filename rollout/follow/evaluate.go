package follow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
)

// state is the state of a deployment after a round.
type state int

const (
	// stateInProgress: it goes on.
	stateInProgress state = iota
	// stateSuccessful: ECS reports it as successful, or with CodeDeploy only
	// the old tasks are left to be ended; the digests are still to be verified.
	stateSuccessful
	// stateStopped: it was stopped and not rolled back. Another one may have
	// replaced it.
	stateStopped
	// stateUndecided: it failed, and a rollback should begin within the settle
	// time.
	stateUndecided
	stateFailed
	stateRolledBack
	stateSuperseded
)

// evaluate ends the tracking of a deployment that has ended.
func (f Follower) evaluate(ctx context.Context, tr *tracker) {
	if tr.deleted {
		tr.end(Failed, "the service was deleted during the deployment")
		return
	}
	end, reason := tr.stateNow()
	switch end {
	case stateInProgress:
		tr.since, tr.pendingReason = time.Time{}, ""
	case stateSuccessful:
		f.onSuccess(ctx, tr)
	case stateStopped:
		f.onStopped(ctx, tr, reason)
	case stateUndecided:
		if tr.pendingReason = reason; tr.pendingFor(f.settle()) {
			tr.end(Failed, reason)
		}
	case stateFailed:
		tr.end(Failed, reason)
	case stateRolledBack:
		tr.end(RolledBack, reason)
	case stateSuperseded:
		tr.end(Superseded, reason)
	}
}

// stateNow returns the state after the last round.
func (tr *tracker) stateNow() (state, string) {
	switch {
	case tr.byCodeDeploy():
		return tr.codeDeployState()
	case tr.withoutServiceDeployments:
		return tr.stateWithoutHistory()
	case tr.deployment != nil:
		return deploymentState(*tr.deployment)
	default:
		return stateInProgress, ""
	}
}

// deploymentState returns the state of a service deployment by its status (API
// reference, ServiceDeployment.status).
func deploymentState(sd types.ServiceDeployment) (state, string) {
	reason := join(append([]string{aws.ToString(sd.StatusReason), rollbackReason(sd)}, monitors(sd)...)...)
	switch sd.Status {
	case types.ServiceDeploymentStatusSuccessful:
		return stateSuccessful, reason
	case types.ServiceDeploymentStatusStopped:
		return stateStopped, reason
	case types.ServiceDeploymentStatusRollbackSuccessful:
		return stateRolledBack, reason
	case types.ServiceDeploymentStatusRollbackFailed:
		return stateFailed, join("the rollback failed", reason)
	default:
		return stateInProgress, ""
	}
}

// monitors returns what made ECS stop: alarms by name, the circuit breaker by
// its count.
func monitors(sd types.ServiceDeployment) []string {
	var told []string
	if a := sd.Alarms; a != nil && len(a.TriggeredAlarmNames) > 0 {
		told = append(told, "alarms triggered: "+strings.Join(a.TriggeredAlarmNames, ", "))
	}
	if b := sd.DeploymentCircuitBreaker; b != nil && b.Status == types.ServiceDeploymentRollbackMonitorsStatusTriggered {
		told = append(told, fmt.Sprintf("the circuit breaker counted %d failed tasks, with a threshold of %d", b.FailureCount, b.Threshold))
	}
	return told
}

// onSuccess verifies a deployment that ECS reports as successful, or that has
// all the traffic.
func (f Follower) onSuccess(ctx context.Context, tr *tracker) {
	late := tr.pendingFor(f.settle()) && !(tr.early() && f.Limit > 0 && tr.clock.idle < f.Limit)
	if p := tr.newerDeployment(); p != nil {
		tr.end(Superseded, "it was SUCCESSFUL, and then "+supersededReason(*p))
		return
	}
	is := tr.successReason()
	v, err := f.verify(ctx, tr)
	tr.running, tr.outcome.Own = v.running, v.own
	switch {
	case err != nil && (ctx.Err() != nil || awsclient.Retryable(err)):
		tr.pendingReason, tr.taskErr = is+", but its images are not verified yet", err
	case deleted(err):
		tr.failWith(err)
	case err != nil:
		tr.end(Unverified, is+", but the running images could not be verified: "+err.Error())
		tr.outcome.Err = err
	case v.matches:
		tr.end(Succeeded, join(v.reason, tr.remainingWork()))
	case v.mayMatchLater && !late:
		tr.pendingReason = is + ", but " + v.reason
	default:
		tr.end(Differs, is+", but "+v.reason)
	}
}

// early reports whether ECS may call the deployment successful before its tasks
// run (API reference, DeploymentEarlySuccessCriteria).
func (tr *tracker) early() bool {
	if tr.deployment == nil || tr.deployment.DeploymentConfiguration == nil {
		return false
	}
	c := tr.deployment.DeploymentConfiguration.EarlySuccessCriteria
	return c != nil && c.Enable
}

// successReason says why the deployment counts as successful.
func (tr *tracker) successReason() string {
	if tr.byCodeDeploy() && tr.keepsOldTaskSet() {
		return "the new tasks receive the traffic"
	}
	return "it is SUCCESSFUL"
}

// remainingWork says which tasks still run after a success, if any.
func (tr *tracker) remainingWork() string {
	if tr.byCodeDeploy() && tr.keepsOldTaskSet() {
		return "CodeDeploy still keeps the old tasks"
	}
	return ""
}

// pendingFor reports whether a time has passed since its first call.
func (tr *tracker) pendingFor(d time.Duration) bool {
	if tr.since.IsZero() {
		tr.since = time.Now()
	}
	return time.Since(tr.since) >= d
}

// replacedWithin is how long ECS may take to list the deployment that replaced
// ours.
const replacedWithin = 10 * time.Second

// onStopped distinguishes a deployment that another one replaced from one that
// failed: ECS reports both as STOPPED. The other one may be listed later than
// ours is stopped.
func (f Follower) onStopped(ctx context.Context, tr *tracker, reason string) {
	late := tr.pendingFor(min(f.settle(), replacedWithin))
	if p := tr.newerDeployment(); p != nil {
		tr.end(Superseded, supersededReason(*p))
		return
	}
	// What was found first may be one that a repetition of our own call
	// replaced.
	arn, err := find(ctx, f.ECS, tr.d)
	if err != nil {
		tr.deploymentErr = err
		return
	}
	if arn != "" && arn != tr.arn {
		tr.arn, tr.deployment, tr.since = arn, nil, time.Time{}
		return
	}
	since := tr.d.Created
	if tr.deployment.CreatedAt != nil {
		since = *tr.deployment.CreatedAt
	}
	list, err := deploymentsSince(ctx, f.ECS, tr.d.Service, since)
	if err != nil {
		tr.deploymentErr = err
		return
	}
	for _, b := range list {
		if aws.ToString(b.ServiceDeploymentArn) == tr.arn {
			continue
		}
		tr.end(Superseded, "it was replaced by deployment "+awsname.LastPart(aws.ToString(b.ServiceDeploymentArn))+
			", which deploys revision "+awsname.LastPart(aws.ToString(b.TargetServiceRevisionArn)))
		return
	}
	tr.pendingReason = join("ECS stopped it", reason)
	if late {
		tr.end(Failed, tr.pendingReason)
	}
}

// newerDeployment returns the service's primary deployment if it began after
// ours, nil otherwise.
func (tr *tracker) newerDeployment() *types.Deployment {
	p := tr.primary()
	if tr.byCodeDeploy() || p == nil || tr.isOwn(aws.ToString(p.Id)) || !aws.ToTime(p.CreatedAt).After(tr.d.Created) {
		return nil
	}
	return p
}

func supersededReason(p types.Deployment) string {
	return "it was replaced by deployment " + aws.ToString(p.Id) + ", which deploys " + awsname.LastPart(aws.ToString(p.TaskDefinition))
}

// collectEvidence adds to an outcome the running images and, for a failure, the
// diagnosis. Its errors do not change the outcome: what could not be read is
// left out.
func (f Follower) collectEvidence(ctx context.Context, tr *tracker) {
	if tr.running == nil && tr.service != nil {
		if tasks, err := f.runningTasks(ctx, tr.d.Service); err == nil {
			tr.running = ecs.CountDigests(tasks)
		}
	}
	tr.outcome.Running = tr.running
	if tr.arn != "" {
		tr.outcome.Deployment.ARN = tr.arn
	}
	switch tr.outcome.Status {
	case Succeeded:
		return
	case Superseded, Interrupted:
		// Log lines would take too long here.
		d := diagnose.Diagnose(tr.evidence())
		tr.outcome.Diagnosis = &d
	default:
		p := tr.primary()
		tr.outcome.Stalled = tr.outcome.Status == Failed && p != nil && p.RolloutState == types.DeploymentRolloutStateFailed
		_ = f.readStopped(ctx, tr, true)
		tr.pending = slices.DeleteFunc(f.Pending(ctx, tr.d.Service), func(t types.Task) bool { return !tr.isOwn(aws.ToString(t.StartedBy)) })
		d := f.explain(ctx, tr.evidence())
		tr.outcome.Diagnosis = &d
	}
}

func (tr *tracker) evidence() diagnose.Evidence {
	e := tr.d.Service.Evidence()
	e.Stopped, e.Events, e.Reason = tr.stopped.tasks, tr.events, tr.outcome.Reason
	e.Pending = tr.pending
	return e
}

// join puts parts of a sentence together, leaving out empty and repeated ones.
func join(parts ...string) string {
	var kept []string
	for _, p := range parts {
		p = strings.TrimRight(strings.TrimSpace(p), ".")
		repeated := false
		for _, k := range kept {
			repeated = repeated || strings.Contains(k, p)
		}
		if !repeated && p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "; ")
}
