package follow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/internal/awsname"
	"slipway/internal/plain"
	"slipway/rollout/ecs"

	"github.com/aws/aws-sdk-go-v2/aws"
	codedeploy "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// tracker is what is known of one deployment under way.
type tracker struct {
	d      ecs.Deployment
	report func(Progress)
	begun  time.Time

	// arn is the service deployment's; plain says that those may not be read.
	arn   string
	plain bool

	// What the last round saw. The errors are apart so that calls under way at once do
	// not write to the same field.
	service                            *types.Service
	deployment                         *types.ServiceDeployment
	code, undo                         *codedeploy.DeploymentInfo
	gone                               bool
	serviceErr, deploymentErr, taskErr error

	// What was told before.
	counted     bool
	counts      [3]int
	stage       string
	seenEvents  map[string]bool
	failedTasks int
	said        map[string]bool

	events  []string
	stopped stoppedTasks

	// entry is the last sight of the deployment in DescribeServices.
	entry *types.Deployment
	// since is when ECS first called the deployment ended, doubt what is still missing.
	since   time.Time
	doubt   string
	running map[string]map[string]int

	// clock counts the time without progress; stuck says that no old task is stopping,
	// although ECS still lists their deployment. hookSince is when a hook was seen first.
	clock     clock
	stuck     bool
	hookSince time.Time
	// protection is what is known of old tasks that ECS keeps.
	protection protection

	ended   bool
	outcome Outcome
}

func newTracker(d ecs.Deployment, report func(Progress)) *tracker {
	return &tracker{
		d: d, report: report, begun: time.Now(), arn: d.ARN,
		seenEvents: map[string]bool{}, said: map[string]bool{},
		stopped: stoppedTasks{known: map[string]bool{}},
		outcome: Outcome{Deployment: d},
		clock:   clock{looked: time.Now()},
	}
}

func (w *tracker) byCodeDeploy() bool {
	return w.d.Service.Controller == types.DeploymentControllerTypeCodeDeploy
}

// end notes the outcome; gather adds the evidence.
func (w *tracker) end(status Status, reason string) {
	w.ended = true
	w.outcome.Status, w.outcome.Reason = status, reason
}

func (w *tracker) event(kind ProgressKind, text string) {
	w.report(Progress{
		Service: w.d.Service.Ref, Kind: kind, Text: plain.Line(text),
		Running: w.counts[0], Pending: w.counts[1], Desired: w.counts[2],
	})
}

// once tells an event of our own one time.
func (w *tracker) once(text string) {
	if !w.said[text] {
		w.said[text] = true
		w.event(Event, text)
	}
}

// reportProgress reports what the round found new, and whether it is a reason to look at tasks.
func (w *tracker) reportProgress() bool {
	w.reportCounts()
	changed := w.reportEvents()
	changed = w.reportStage() || changed
	failed := w.failures()
	changed = changed || failed != w.failedTasks || w.stopped.unfinished
	w.failedTasks = failed
	return changed && w.service != nil
}

func (w *tracker) reportCounts() {
	running, pending, desired, ok := w.count()
	counts := [3]int{running, pending, desired}
	if !ok || w.counted && counts == w.counts {
		return
	}
	w.counted, w.counts = true, counts
	text := fmt.Sprintf("%d of %d running", running, desired)
	if pending > 0 {
		text += fmt.Sprintf(", %d pending", pending)
	}
	w.event(Counts, text)
}

// Count is the deployment's own number of tasks.
func (w *tracker) count() (running, pending, desired int, ok bool) {
	if w.byCodeDeploy() {
		if set := w.taskSet(); set != nil {
			return int(set.RunningCount), int(set.PendingCount), int(set.ComputedDesiredCount), true
		}
		return 0, 0, 0, false
	}
	if e := w.present(); e != nil {
		return int(e.RunningCount), int(e.PendingCount), int(e.DesiredCount), true
	}
	if w.deployment != nil && w.deployment.TargetServiceRevision != nil {
		r := w.deployment.TargetServiceRevision
		return int(r.RunningTaskCount), int(r.PendingTaskCount), int(r.RequestedTaskCount), true
	}
	return 0, 0, 0, false
}

// present is the deployment as DescribeServices lists it now, nil where it does not.
func (w *tracker) present() *types.Deployment {
	if w.service == nil {
		return nil
	}
	i := slices.IndexFunc(w.service.Deployments, func(e types.Deployment) bool { return w.ours(aws.ToString(e.Id)) })
	if i < 0 {
		return nil
	}
	w.entry = &w.service.Deployments[i]
	return w.entry
}

// primary is the deployment that the service is to run, nil where it is not known.
func (w *tracker) primary() *types.Deployment {
	if w.service == nil {
		return nil
	}
	for _, e := range w.service.Deployments {
		if aws.ToString(e.Status) == "PRIMARY" {
			return &e
		}
	}
	return nil
}

// ours tells whether an id that tasks carry in startedBy is the deployment's. The target
// revision's number counts as well, since the strategies that shift traffic may name
// their deployments after it.
func (w *tracker) ours(id string) bool {
	if id == "" {
		return false
	}
	if w.byCodeDeploy() {
		set := w.taskSet()
		return set != nil && id == aws.ToString(set.Id)
	}
	return id == w.d.ID || awsname.AfterSlash(id) != "" && awsname.AfterSlash(id) == awsname.AfterSlash(w.revision())
}

// revision is the ARN of the service revision that is deployed, empty until known.
func (w *tracker) revision() string {
	if w.deployment == nil || w.deployment.TargetServiceRevision == nil {
		return ""
	}
	return aws.ToString(w.deployment.TargetServiceRevision.Arn)
}

// failures counts what ECS calls failed tasks, by whichever of its counters there are.
func (w *tracker) failures() int {
	n := 0
	if e := w.present(); e != nil {
		n += int(e.FailedTasks)
	}
	if w.deployment != nil && w.deployment.DeploymentCircuitBreaker != nil {
		n += int(w.deployment.DeploymentCircuitBreaker.FailureCount)
	}
	return n
}

// began is when the deployment was created. CodeDeploy does not say in its first answer.
func (w *tracker) began() time.Time {
	if w.d.Created.IsZero() && w.code != nil {
		return aws.ToTime(w.code.CreateTime)
	}
	return w.d.Created
}

// reportEvents reports service events since the deployment, each once, the oldest first.
func (w *tracker) reportEvents() bool {
	since := w.began()
	if w.service == nil || since.IsZero() {
		return false
	}
	told := false
	for _, e := range slices.Backward(w.service.Events) {
		id := aws.ToString(e.Id)
		if w.seenEvents[id] || aws.ToTime(e.CreatedAt).Before(since) {
			continue
		}
		w.seenEvents[id] = true
		text := withoutName(w.d.Service.Ref, aws.ToString(e.Message))
		w.events = append(w.events, text)
		w.event(Event, text)
		told = true
	}
	return told
}

// withoutName takes the service's name off the beginning of an event.
func withoutName(r ecs.Ref, event string) string {
	name := awsname.LastPart(r.Service)
	for _, prefix := range []string{"(service " + name + ") ", "service " + name + " "} {
		if rest, ok := strings.CutPrefix(event, prefix); ok {
			return rest
		}
	}
	return event
}
