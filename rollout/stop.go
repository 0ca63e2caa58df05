package rollout

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// stopResult is a deployment that was to be stopped.
type stopResult struct {
	ecs.Deployment
	// err is why it was not; ended reports that it had ended by then, however it did.
	err   error
	ended bool
}

// stopAll asks ECS to roll deployments of ours back, all at once. It returns
// those that continue because they could not be stopped, and those that had
// ended before they could be stopped, whatever their end.
func (d *job) stopAll(ctx context.Context, deployments []ecs.Deployment) (left, ended []ecs.Deployment) {
	return d.logStopped(d.tryStop(ctx, deployments))
}

func (d *job) tryStop(ctx context.Context, deployments []ecs.Deployment) []stopResult {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTime)
	defer cancel()
	out := make([]stopResult, len(deployments))
	var g errgroup.Group
	g.SetLimit(MaxCalls)
	for i, dep := range deployments {
		g.Go(func() error {
			out[i] = stopResult{Deployment: dep, err: follow.StopDeployment(ctx, d.aws.ECS(), d.aws.CodeDeploy(), dep)}
			if out[i].err != nil {
				// That it cannot be read either leaves it among those that go on.
				out[i].ended, _ = follow.HasEnded(ctx, d.aws.ECS(), d.aws.CodeDeploy(), dep)
			}
			return nil
		})
	}
	_ = g.Wait() // the goroutines keep their errors
	return out
}

func (d *job) logStopped(all []stopResult) (left, ended []ecs.Deployment) {
	for _, h := range all {
		switch {
		case h.err == nil:
			d.Infof("%s: stopped deployment %s, ECS rolls back to the previous deployment", h.Service.Ref, h.ID)
		case h.ended:
			d.Infof("%s: deployment %s had ended before it could be stopped", h.Service.Ref, h.ID)
			ended = append(ended, h.Deployment)
		default:
			d.Warnf("%s: deployment %s could not be stopped and goes on: %v", h.Service.Ref, h.ID, h.err)
			left = append(left, h.Deployment)
		}
	}
	return left, ended
}

// stopper stops each deployment as soon as it has timed out: others may be followed for
// much longer.
type stopper struct {
	*job
	group       sync.WaitGroup
	mu          sync.Mutex
	left, ended []ecs.Deployment
}

// watch returns what is to be called when a deployment has ended, given the display.
func (s *stopper) watch(ctx context.Context, f Display) func(follow.Outcome) {
	return func(o follow.Outcome) {
		if o.Status != follow.TimedOut {
			return
		}
		s.group.Go(func() {
			all := s.tryStop(ctx, []ecs.Deployment{o.Deployment})
			s.mu.Lock()
			defer s.mu.Unlock()
			f.Aside(func() {
				left, ended := s.logStopped(all)
				s.left, s.ended = append(s.left, left...), append(s.ended, ended...)
			})
		})
	}
}

// followAndStop waits for all deployments to end, and stops those that time out.
func (d *job) followAndStop(ctx context.Context, deployments []ecs.Deployment) []follow.Outcome {
	s := &stopper{job: d}
	outcomes := d.followWith(ctx, deployments, func(f Display) func(follow.Outcome) { return s.watch(ctx, f) })
	s.group.Wait()
	d.notStopped = append(d.notStopped, s.left...)
	return d.endsOf(ctx, outcomes, s.ended)
}

// stop stops the deployments that ended with a status under way. One that ECS would not
// stop because it had ended is looked at again, and has the outcome that is found then:
// what succeeded in the last moment has succeeded.
func (d *job) stop(ctx context.Context, outcomes []follow.Outcome, status follow.Status) []follow.Outcome {
	var late []ecs.Deployment
	for _, o := range outcomes {
		if o.Status == status {
			late = append(late, o.Deployment)
		}
	}
	if len(late) == 0 {
		return outcomes
	}
	left, ended := d.stopAll(ctx, late)
	d.notStopped = append(d.notStopped, left...)
	return d.endsOf(ctx, outcomes, ended)
}

// endsOf gives deployments that had ended before they could be stopped the outcomes
// that they have now.
func (d *job) endsOf(ctx context.Context, outcomes []follow.Outcome, ended []ecs.Deployment) []follow.Outcome {
	if len(ended) == 0 {
		return outcomes
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTime)
	defer cancel()
	outcomes = slices.Clone(outcomes)
	for _, again := range d.follower().Follow(ctx, ended, nil) {
		i := slices.IndexFunc(outcomes, func(o follow.Outcome) bool { return o.Deployment.ID == again.Deployment.ID })
		if again.Status != follow.TimedOut {
			outcomes[i] = again
		}
	}
	return outcomes
}

// keepOrProtect decides about the tags of a service whose deployment is
// SUCCESSFUL and does not run the desired images everywhere. Where some of its
// tasks do, or have still to start, latest stays at their images, unless
// another service reverts all tags: then deployed protects these. Other running
// images are protected by deployed.
func (d *job) keepOrProtect(after *revisions.RolloutResult, o follow.Outcome, back bool) {
	ref := o.Deployment.Service.Ref
	if after.Runs == nil {
		after.Runs = map[registry.Ref]string{}
	}
	for container, repo := range d.reposOf(ref) {
		want, wanted := o.Deployment.Wants[container]
		own := o.Own[container]
		switch ours := slices.ContainsFunc(slices.Collect(maps.Keys(own)), want.Has); {
		case !wanted || len(want.Digests) == 0:
		case !ours && len(own) > 0:
			after.Runs[repo.Ref] = most(own)
		case back:
			after.Runs[repo.Ref] = want.Digests[0]
		default:
			after.Keep[repo.Ref] = true
			d.warn(Unlike, []ecs.Ref{ref}, "%s: ECS calls the deployment SUCCESSFUL, so latest of %s stays on %s", ref, repo.Name, d.target.Revision())
		}
	}
}

// most is the digest of most tasks, the first in order of several.
func most(counts map[string]int) string {
	digests := slices.Sorted(maps.Keys(counts))
	return slices.MaxFunc(digests, func(a, b string) int { return counts[a] - counts[b] })
}
