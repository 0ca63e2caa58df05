package follow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	codedeploy "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
	"slipway/internal/plain"
	"slipway/rollout/ecs"
)

// tracker is the state of one deployment under way.
type tracker struct {
	d      ecs.Deployment
	report func(Progress)
	begun  time.Time

	// arn is the service deployment's; withoutServiceDeployments says that
	// those cannot be read.
	arn                       string
	withoutServiceDeployments bool

	// What the last round saw. The errors are apart so that calls under way at
	// once do not write to the same field.
	service                            *types.Service
	deployment                         *types.ServiceDeployment
	codeInfo, rollbackInfo             *codedeploy.DeploymentInfo
	deleted                            bool
	serviceErr, deploymentErr, taskErr error

	// What was reported before.
	counted     bool
	counts      [3]int
	stage       string
	seenEvents  map[string]bool
	failedTasks int
	reported    map[string]bool

	events  []string
	pending []types.Task // read for the diagnosis alone
	stopped stoppedTasks

	// lastListed is the deployment as DescribeServices listed it last.
	lastListed *types.Deployment
	// since is when ECS first reported the deployment as ended, and
	// pendingReason names the missing part.
	since         time.Time
	pendingReason string
	running       map[string]map[string]int

	// clock counts the time without progress; notDraining says that no old task
	// is stopping, although ECS still lists their deployment, and drained that
	// none is left. hookSince is when a hook was seen first.
	clock       clock
	notDraining bool
	drained     bool
	hookSince   time.Time
	// blockedSince is since when ECS can take no step.
	blockedSince time.Time
	// protection is the state of old tasks that ECS keeps.
	protection protection

	ended   bool
	outcome Outcome
}

func newTracker(d ecs.Deployment, report func(Progress)) *tracker {
	return &tracker{
		d: d, report: report, begun: time.Now(), arn: d.ARN,
		seenEvents: map[string]bool{}, reported: map[string]bool{},
		stopped: stoppedTasks{known: map[string]bool{}},
		outcome: Outcome{Deployment: d},
		clock:   clock{updated: time.Now()},
	}
}

func (tr *tracker) byCodeDeploy() bool {
	return tr.d.Service.Controller == types.DeploymentControllerTypeCodeDeploy
}

// end notes the outcome. collectEvidence adds the evidence.
func (tr *tracker) end(status Status, reason string) {
	tr.ended = true
	tr.outcome.Status, tr.outcome.Reason = status, reason
}

func (tr *tracker) event(kind ProgressKind, text string) {
	tr.report(Progress{
		Service: tr.d.Service.Ref, Kind: kind, Text: plain.Line(text),
		Running: tr.counts[0], Pending: tr.counts[1], Desired: tr.counts[2],
	})
}

// reportOnce reports an event of Slipway's own once.
func (tr *tracker) reportOnce(text string) {
	if !tr.reported[text] {
		tr.reported[text] = true
		tr.event(Event, text)
	}
}

// reportProgress reports what the round found new, and whether it is a reason
// to look at tasks.
func (tr *tracker) reportProgress() bool {
	tr.reportCounts()
	changed := tr.reportEvents()
	changed = tr.reportStage() || changed
	failed := tr.failures()
	changed = changed || failed != tr.failedTasks || tr.stopped.unfinished
	tr.failedTasks = failed
	return changed && tr.service != nil
}

func (tr *tracker) reportCounts() {
	running, pending, desired, ok := tr.count()
	counts := [3]int{running, pending, desired}
	if !ok || tr.counted && counts == tr.counts {
		return
	}
	tr.counted, tr.counts = true, counts
	text := fmt.Sprintf("%d of %d running", running, desired)
	if pending > 0 {
		text += fmt.Sprintf(", %d pending", pending)
	}
	tr.event(Counts, text)
}

// count returns the deployment's own number of tasks.
func (tr *tracker) count() (running, pending, desired int, ok bool) {
	if tr.byCodeDeploy() {
		if set := tr.taskSet(); set != nil {
			return int(set.RunningCount), int(set.PendingCount), int(set.ComputedDesiredCount), true
		}
		return 0, 0, 0, false
	}
	if e := tr.listedNow(); e != nil {
		return int(e.RunningCount), int(e.PendingCount), int(e.DesiredCount), true
	}
	if tr.deployment != nil && tr.deployment.TargetServiceRevision != nil {
		r := tr.deployment.TargetServiceRevision
		return int(r.RunningTaskCount), int(r.PendingTaskCount), int(r.RequestedTaskCount), true
	}
	return 0, 0, 0, false
}

// listedNow returns the deployment as DescribeServices lists it now, nil where
// it does not.
func (tr *tracker) listedNow() *types.Deployment {
	if tr.service == nil {
		return nil
	}
	i := slices.IndexFunc(tr.service.Deployments, func(e types.Deployment) bool { return tr.isOwn(aws.ToString(e.Id)) })
	if i < 0 {
		return nil
	}
	tr.lastListed = &tr.service.Deployments[i]
	return tr.lastListed
}

// primary returns the deployment that the service is to run, nil where it is
// not known.
func (tr *tracker) primary() *types.Deployment {
	if tr.service == nil {
		return nil
	}
	for _, e := range tr.service.Deployments {
		if aws.ToString(e.Status) == "PRIMARY" {
			return &e
		}
	}
	return nil
}

// isOwn reports whether an id in the startedBy of tasks is the deployment's.
// The target revision's number counts as well, since the strategies that shift
// traffic may name their deployments after it.
func (tr *tracker) isOwn(id string) bool {
	if id == "" {
		return false
	}
	if tr.byCodeDeploy() {
		set := tr.taskSet()
		return set != nil && id == aws.ToString(set.Id)
	}
	return id == tr.d.ID || awsname.AfterSlash(id) != "" && awsname.AfterSlash(id) == awsname.AfterSlash(tr.revision())
}

// revision returns the ARN of the service revision that is deployed, empty
// until known.
func (tr *tracker) revision() string {
	if tr.deployment == nil || tr.deployment.TargetServiceRevision == nil {
		return ""
	}
	return aws.ToString(tr.deployment.TargetServiceRevision.Arn)
}

// failures counts what ECS calls failed tasks, by whichever of its counters
// there are.
func (tr *tracker) failures() int {
	n := 0
	if e := tr.listedNow(); e != nil {
		n += int(e.FailedTasks)
	}
	if tr.deployment != nil && tr.deployment.DeploymentCircuitBreaker != nil {
		n += int(tr.deployment.DeploymentCircuitBreaker.FailureCount)
	}
	return n
}

// began returns when the deployment was created. CodeDeploy does not say in its
// first answer.
func (tr *tracker) began() time.Time {
	if tr.d.Created.IsZero() && tr.codeInfo != nil {
		return aws.ToTime(tr.codeInfo.CreateTime)
	}
	return tr.d.Created
}

// reportEvents reports service events since the deployment, each once, the
// oldest first.
func (tr *tracker) reportEvents() bool {
	since := tr.began()
	if tr.service == nil || since.IsZero() {
		return false
	}
	told := false
	for _, e := range slices.Backward(tr.service.Events) {
		id := aws.ToString(e.Id)
		if tr.seenEvents[id] || aws.ToTime(e.CreatedAt).Before(since) {
			continue
		}
		tr.seenEvents[id] = true
		text := withoutName(tr.d.Service.Ref, aws.ToString(e.Message))
		tr.events = append(tr.events, text)
		tr.event(Event, text)
		told = true
	}
	return told
}

// withoutName returns an event without the service's name at its beginning.
func withoutName(r ecs.Ref, event string) string {
	name := awsname.LastPart(r.Service)
	for _, prefix := range []string{"(service " + name + ") ", "service " + name + " "} {
		if rest, ok := strings.CutPrefix(event, prefix); ok {
			return rest
		}
	}
	return event
}
