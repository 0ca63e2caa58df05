// Package follow follows the deployments of ECS services to their ends: it
// finds and reads them, verifies the digests of their tasks, and collects the
// evidence of a failure. It also stops, continues and resumes deployments under
// way.
package follow

import (
	"context"
	"errors"
	"time"

	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"golang.org/x/sync/errgroup"

	"slipway/rollout/ecs"
)

// ecsAPI are the requests to ECS that following takes.
type ecsAPI interface {
	servicesAPI
	deploymentsAPI
	listDeploymentsAPI
	revisionsAPI
	ListTasks(context.Context, *awsecs.ListTasksInput, ...func(*awsecs.Options)) (*awsecs.ListTasksOutput, error)
	DescribeTasks(context.Context, *awsecs.DescribeTasksInput, ...func(*awsecs.Options)) (*awsecs.DescribeTasksOutput, error)
	GetTaskProtection(context.Context, *awsecs.GetTaskProtectionInput, ...func(*awsecs.Options)) (*awsecs.GetTaskProtectionOutput, error)
}

type servicesAPI interface {
	DescribeServices(context.Context, *awsecs.DescribeServicesInput, ...func(*awsecs.Options)) (*awsecs.DescribeServicesOutput, error)
}

type deploymentsAPI interface {
	DescribeServiceDeployments(context.Context, *awsecs.DescribeServiceDeploymentsInput, ...func(*awsecs.Options)) (*awsecs.DescribeServiceDeploymentsOutput, error)
}

type revisionsAPI interface {
	DescribeServiceRevisions(context.Context, *awsecs.DescribeServiceRevisionsInput, ...func(*awsecs.Options)) (*awsecs.DescribeServiceRevisionsOutput, error)
}

// Follower follows deployments to their ends and returns how they ended.
type Follower struct {
	// ECS reads services, deployments and tasks.
	ECS ecsAPI
	// CodeDeploy reads the deployments of CODE_DEPLOY services; nil where there
	// are none.
	CodeDeploy deploymentInfoAPI
	// Logs reads the last lines of a container that failed; nil for none.
	Logs logsAPI
	// Poll bounds the pauses between two rounds of requests.
	Poll Pauses
	// Settle is how long something that must follow may take after ECS called a
	// deployment ended: the first new task to run, a rollback to show. 0 is a
	// minute.
	Settle time.Duration
	// Limit is how long a deployment may make no progress on its new tasks
	// before it is TimedOut; 0 for any time. The time does not count while a
	// lifecycle hook holds the deployment, during bake times, and while only
	// old tasks are left to stop.
	Limit time.Duration
	// Ended is called as soon as a deployment has ended, while others are still
	// followed, never from two goroutines at once; nil is allowed.
	Ended func(Outcome)
}

// Pauses are the pauses between two rounds: the first is First, each is half as
// long again as the one before, none is longer than Max.
type Pauses struct {
	// First is 500 ms where it is 0.
	First time.Duration
	// Max is 5 s where it is 0.
	Max time.Duration
}

func (p Pauses) first() time.Duration {
	if p.First <= 0 {
		return 500 * time.Millisecond
	}
	return p.First
}

func (p Pauses) next(last time.Duration) time.Duration {
	limit := p.Max
	if limit <= 0 {
		limit = 5 * time.Second
	}
	return min(last+last/2, max(limit, p.first()))
}

const (
	// parallelCalls bounds the calls under way at once, well below ECS's
	// bursts.
	parallelCalls = 8
	// explainTime is the time limit for reading the evidence of a failure.
	explainTime = 20 * time.Second
	// interruptedTime is the same after Ctrl-C, when the user waits for the
	// prompt.
	interruptedTime = 5 * time.Second
)

func (f Follower) settle() time.Duration {
	if f.Settle <= 0 {
		return time.Minute
	}
	return f.Settle
}

// Follow follows deployments to their ends, all at once, and returns an Outcome
// for each, in their order. Each is followed by its own id. Neither "the
// service is stable" nor the task definition says how a deployment ended: both
// are the same after a rollback or a forced deployment.
//
// Calls in a round: one DescribeServices for ten services of a cluster, one
// DescribeServiceDeployments for 20 deployments, one GetDeployment for each
// CodeDeploy deployment; ListTasks and DescribeTasks only for services whose
// failed tasks, events or status changed and at the end, and with
// GetTaskProtection once a minute for those that keep old tasks although all
// new ones run; one ListServiceDeployments for each deployment until ECS lists
// it. Nothing is called again within a round: the clients retry.
//
// report receives the progress, never from two goroutines at once; nil is
// allowed. Requests that fail for a time, or are not answered, are reported
// once as an Event and repeated until Limit or ctx ends. A deployment without
// progress for Limit is TimedOut; one whose new tasks all run when only old
// ones have been stopping for Limit has Succeeded. When ctx's deadline passes,
// what has not ended is TimedOut; when ctx is cancelled, Interrupted. An error
// that a repetition does not change is in Outcome.Err, with the status
// Unverified.
func (f Follower) Follow(ctx context.Context, deployments []ecs.Deployment, report func(Progress)) []Outcome {
	if report == nil {
		report = func(Progress) {}
	}
	trackers := make([]*tracker, len(deployments))
	for i, d := range deployments {
		trackers[i] = newTracker(d, report)
	}
	f.rounds(ctx, trackers)
	f.finishOnContextDone(ctx, unfinished(trackers))
	outcomes := make([]Outcome, len(trackers))
	for i, tr := range trackers {
		outcomes[i] = tr.outcome
	}
	return outcomes
}

// rounds runs rounds until every deployment or ctx has ended.
func (f Follower) rounds(ctx context.Context, trackers []*tracker) {
	for pause := f.Poll.first(); ctx.Err() == nil; pause = f.Poll.next(pause) {
		f.boundedRound(ctx, unfinished(trackers))
		f.expire(ctx, unfinished(trackers))
		if len(unfinished(trackers)) == 0 || !sleep(ctx, f.pauseWithinLimit(pause, unfinished(trackers))) {
			return
		}
	}
}

// boundedRound is a round with a time limit.
func (f Follower) boundedRound(ctx context.Context, trackers []*tracker) {
	within := f.roundTime(trackers)
	round, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	f.round(round, trackers)
	if round.Err() == nil || ctx.Err() != nil {
		return
	}
	for _, tr := range unfinished(trackers) {
		tr.reportOnce("no answer from AWS within " + within.Round(time.Second).String() + ", trying again")
	}
}

// round reads once everything that has not ended, reports the progress and
// finishes the deployments that have ended.
func (f Follower) round(ctx context.Context, trackers []*tracker) {
	f.locate(ctx, trackers)
	f.refresh(ctx, trackers)
	var changed []*tracker
	for _, tr := range trackers {
		tr.handleErrors(ctx)
		if !tr.ended && tr.reportProgress() {
			changed = append(changed, tr)
		}
	}
	each(changed, func(tr *tracker) { tr.taskErr = f.readStopped(ctx, tr, false) })
	for _, tr := range changed {
		tr.handleErrors(ctx)
		tr.reportStopped()
	}
	each(unfinished(trackers), func(tr *tracker) {
		f.evaluate(ctx, tr)
		f.refreshProtection(ctx, tr)
	})
	for _, tr := range unfinished(trackers) {
		tr.handleErrors(ctx)
		tr.handleProtection()
	}
	f.finish(ctx, trackers, explainTime)
}

// finishOnContextDone ends the deployments that were under way when ctx ended.
func (f Follower) finishOnContextDone(ctx context.Context, trackers []*tracker) {
	limit := explainTime
	for _, tr := range trackers {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			tr.end(TimedOut, join("it had not ended at the deadline", tr.stage, tr.pendingReason))
		} else {
			tr.end(Interrupted, join("the wait was interrupted", tr.stage, tr.pendingReason))
			limit = interruptedTime
		}
	}
	f.finish(ctx, trackers, limit)
}

// finish reads the evidence for the deployments that have just ended and
// reports their outcomes.
func (f Follower) finish(ctx context.Context, trackers []*tracker, limit time.Duration) {
	var ended []*tracker
	for _, tr := range trackers {
		if tr.ended {
			ended = append(ended, tr)
		}
	}
	if len(ended) == 0 {
		return
	}
	// The evidence matters most at the deadline.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	each(ended, func(tr *tracker) { f.collectEvidence(ctx, tr) })
	for _, tr := range ended {
		tr.reportStopped()
		tr.event(Ended, join(string(tr.outcome.Status), tr.outcome.Reason))
		if f.Ended != nil {
			f.Ended(tr.outcome)
		}
	}
}

// unfinished returns the trackers that have not ended.
func unfinished(trackers []*tracker) []*tracker {
	var left []*tracker
	for _, tr := range trackers {
		if !tr.ended {
			left = append(left, tr)
		}
	}
	return left
}

// each runs do for every tracker, a bounded number at once.
func each(trackers []*tracker, do func(*tracker)) {
	var group errgroup.Group
	group.SetLimit(parallelCalls)
	for _, tr := range trackers {
		group.Go(func() error { do(tr); return nil })
	}
	_ = group.Wait()
}

// sleep waits, and reports whether ctx had not ended by then.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
