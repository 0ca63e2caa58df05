package follow

import (
	"context"
	"fmt"
	"strings"
	"time"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// end is what a round makes of a deployment.
type end int

const (
	// underWay: it goes on.
	underWay end = iota
	// arrived: ECS calls it successful, or with CodeDeploy only the old tasks are left to
	// be ended; the digests are still to be verified.
	arrived
	// halted: it was stopped and nothing undone; another one may have taken its place.
	halted
	// undecided: it failed, and a rollback should show within the time to settle.
	undecided
	failed
	rolledBack
	superseded
)

// evaluate ends a deployment that has come to an end.
func (f Follower) evaluate(ctx context.Context, w *tracker) {
	if w.gone {
		w.end(Failed, "the service was deleted while it was being deployed")
		return
	}
	end, reason := w.outcomeNow()
	switch end {
	case underWay:
		w.since, w.doubt = time.Time{}, ""
	case arrived:
		f.onSuccess(ctx, w)
	case halted:
		f.onStopped(ctx, w, reason)
	case undecided:
		if w.doubt = reason; w.waited(f.settle()) {
			w.end(Failed, reason)
		}
	case failed:
		w.end(Failed, reason)
	case rolledBack:
		w.end(RolledBack, reason)
	case superseded:
		w.end(Superseded, reason)
	}
}

// outcomeNow judges by what the last round saw.
func (w *tracker) outcomeNow() (end, string) {
	switch {
	case w.byCodeDeploy():
		return w.codeDeployEnd()
	case w.plain:
		return w.outcomeWithoutHistory()
	case w.deployment != nil:
		return deploymentEnd(*w.deployment)
	default:
		return underWay, ""
	}
}

// deploymentEnd judges a service deployment by its status (API reference,
// ServiceDeployment.status).
func deploymentEnd(sd types.ServiceDeployment) (end, string) {
	reason := join(append([]string{aws.ToString(sd.StatusReason), rollbackReason(sd)}, monitors(sd)...)...)
	switch sd.Status {
	case types.ServiceDeploymentStatusSuccessful:
		return arrived, reason
	case types.ServiceDeploymentStatusStopped:
		return halted, reason
	case types.ServiceDeploymentStatusRollbackSuccessful:
		return rolledBack, reason
	case types.ServiceDeploymentStatusRollbackFailed:
		return failed, join("ECS tried to roll back and did not manage to", reason)
	default:
		return underWay, ""
	}
}

// monitors tell what made ECS give up: alarms by name, the circuit breaker by its count.
func monitors(sd types.ServiceDeployment) []string {
	var told []string
	if a := sd.Alarms; a != nil && len(a.TriggeredAlarmNames) > 0 {
		told = append(told, "alarms triggered: "+strings.Join(a.TriggeredAlarmNames, ", "))
	}
	if b := sd.DeploymentCircuitBreaker; b != nil && b.Status == types.ServiceDeploymentRollbackMonitorsStatusTriggered {
		told = append(told, fmt.Sprintf("the circuit breaker counted %d failed tasks, its threshold is %d", b.FailureCount, b.Threshold))
	}
	return told
}

// onSuccess verifies a deployment that ECS calls successful, or that has all the traffic.
func (f Follower) onSuccess(ctx context.Context, w *tracker) {
	late := w.waited(f.settle()) && !(w.early() && f.Limit > 0 && w.clock.idle < f.Limit)
	if p := w.newer(); p != nil {
		w.end(Superseded, "it was SUCCESSFUL, and then "+another(*p))
		return
	}
	is := w.arrival()
	v, err := f.verify(ctx, w)
	w.running, w.outcome.Own = v.running, v.own
	switch {
	case err != nil && (ctx.Err() != nil || awsclient.Retryable(err)):
		w.doubt, w.taskErr = is+", but not verified yet", err
	case deleted(err):
		w.fail(err)
	case err != nil:
		w.end(Differs, is+", but what runs could not be verified: "+err.Error())
		w.outcome.Err = err
	case v.same:
		w.end(Succeeded, join(v.reason, w.leftOver()))
	case v.later && !late:
		w.doubt = is + ", but " + v.reason
	default:
		w.end(Differs, is+", but "+v.reason)
	}
}

// early reports whether ECS may call the deployment successful before its tasks run
// (API reference, DeploymentEarlySuccessCriteria).
func (w *tracker) early() bool {
	if w.deployment == nil || w.deployment.DeploymentConfiguration == nil {
		return false
	}
	c := w.deployment.DeploymentConfiguration.EarlySuccessCriteria
	return c != nil && c.Enable
}

// arrival says in words why the deployment counts as arrived.
func (w *tracker) arrival() string {
	if w.byCodeDeploy() && w.oldKept() {
		return "the new tasks have the traffic"
	}
	return "it is SUCCESSFUL"
}

// leftOver says what still runs after a success, if anything.
func (w *tracker) leftOver() string {
	if w.byCodeDeploy() && w.oldKept() {
		return "the old tasks are kept until CodeDeploy ends them"
	}
	return ""
}

// waited tells whether a time has passed since it was asked first.
func (w *tracker) waited(d time.Duration) bool {
	if w.since.IsZero() {
		w.since = time.Now()
	}
	return time.Since(w.since) >= d
}

// replacedWithin is how long ECS may take to list the deployment that replaced ours.
const replacedWithin = 10 * time.Second

// onStopped tells a deployment that another one replaced from one that failed: ECS calls both
// STOPPED. The other one may be listed later than ours is stopped.
func (f Follower) onStopped(ctx context.Context, w *tracker, reason string) {
	late := w.waited(min(f.settle(), replacedWithin))
	if p := w.newer(); p != nil {
		w.end(Superseded, another(*p))
		return
	}
	// What was found first may be one that a repetition of our own call replaced.
	arn, err := find(ctx, f.ECS, w.d)
	if err != nil {
		w.deploymentErr = err
		return
	}
	if arn != "" && arn != w.arn {
		w.arn, w.deployment, w.since = arn, nil, time.Time{}
		return
	}
	since := w.d.Created
	if w.deployment.CreatedAt != nil {
		since = *w.deployment.CreatedAt
	}
	list, err := deploymentsSince(ctx, f.ECS, w.d.Service, since)
	if err != nil {
		w.deploymentErr = err
		return
	}
	for _, b := range list {
		if aws.ToString(b.ServiceDeploymentArn) == w.arn {
			continue
		}
		w.end(Superseded, "another deployment took its place: "+awsname.LastPart(aws.ToString(b.ServiceDeploymentArn))+
			", which deploys revision "+awsname.LastPart(aws.ToString(b.TargetServiceRevisionArn)))
		return
	}
	w.doubt = join("ECS stopped it", reason)
	if late {
		w.end(Failed, w.doubt)
	}
}

// newer is the service's primary deployment if it began after ours, nil otherwise.
func (w *tracker) newer() *types.Deployment {
	p := w.primary()
	if w.byCodeDeploy() || p == nil || w.ours(aws.ToString(p.Id)) || !aws.ToTime(p.CreatedAt).After(w.d.Created) {
		return nil
	}
	return p
}

func another(p types.Deployment) string {
	return "another deployment took its place: " + aws.ToString(p.Id) + ", which deploys " + awsname.LastPart(aws.ToString(p.TaskDefinition))
}

// collectEvidence adds to an outcome what runs and, for a bad end, why. Its own errors are no
// reason to change the outcome: what could not be read is left out.
func (f Follower) collectEvidence(ctx context.Context, w *tracker) {
	if w.running == nil && w.service != nil {
		if tasks, err := f.runningTasks(ctx, w.d.Service); err == nil {
			w.running = ecs.CountDigests(tasks)
		}
	}
	w.outcome.Running = w.running
	if w.arn != "" {
		w.outcome.Deployment.ARN = w.arn
	}
	switch w.outcome.Status {
	case Succeeded:
		return
	case Superseded, Interrupted:
		// Nobody waits for log lines here.
		d := diagnose.Diagnose(w.evidence())
		w.outcome.Diagnosis = &d
	default:
		_ = f.readStopped(ctx, w, true)
		d := f.explain(ctx, w.evidence())
		w.outcome.Diagnosis = &d
	}
}

func (w *tracker) evidence() diagnose.Evidence {
	e := w.d.Service.Evidence()
	e.Stopped, e.Events, e.Reason = w.stopped.tasks, w.events, w.outcome.Reason
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
