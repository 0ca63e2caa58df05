package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// failToStart goes back after some deployments could not be started.
func (d *job) failToStart(ctx context.Context, deployments []ecs.Deployment, cause error) error {
	if errors.Is(cause, context.Canceled) {
		return errors.Join(cause, d.revertTags(ctx, revisions.RolloutResult{}))
	}
	after := revisions.RolloutResult{}
	left, ended := d.stopAll(ctx, deployments)
	for _, dep := range append(left, ended...) {
		d.protect(&after, dep)
	}
	return fault.As(fault.AWS, errors.Join(cause, d.revertTags(ctx, after)))
}

// revertTags reverts the tags if the rollout or the build has moved them.
func (d *job) revertTags(ctx context.Context, a revisions.RolloutResult) error {
	if d.revert == nil {
		return nil
	}
	return d.revert(ctx, a)
}

// protect notes that a service runs, or will run, the new images whatever the tags say:
// they must not expire.
func (d *job) protect(a *revisions.RolloutResult, dep ecs.Deployment) {
	if a.Runs == nil {
		a.Runs = map[registry.Ref]string{}
	}
	for container, repo := range d.reposOf(dep.Service.Ref) {
		if want := d.target.Desired[dep.Service.Ref][container]; len(want.Digests) > 0 {
			a.Runs[repo.Ref] = want.Digests[0]
		}
	}
}

// reposOf are the repositories of a service's containers.
func (d *job) reposOf(ref ecs.Ref) map[string]registry.Repository {
	for _, st := range d.services.List {
		if st.Ref == ref {
			return st.Repositories
		}
	}
	return nil
}

// finish turns the ends of the deployments into the result of the command.
func (d *job) finish(ctx context.Context, outcomes []follow.Outcome) error {
	var bad, open, unseen []follow.Outcome
	for _, o := range outcomes {
		d.addOutcome(o)
		switch {
		case o.Status == follow.Succeeded:
		case o.Status == follow.Interrupted:
			open = append(open, o)
		case o.Err != nil:
			unseen = append(unseen, o)
		default:
			bad = append(bad, o)
		}
	}
	for _, o := range slices.Concat(bad, unseen) {
		d.explain(o)
	}
	defer d.protectNew(context.WithoutCancel(ctx), outcomes)
	switch {
	case len(bad) > 0:
		return d.failed(ctx, outcomes, bad)
	case len(open) > 0:
		return d.interrupt(ctx, outcomes, open)
	case len(unseen) > 0:
		return d.unverified(unseen)
	default:
		return nil
	}
}

// unverified says of deployments that AWS does not let us follow that they go on. The
// tags stay with them: that they fail is not known.
func (d *job) unverified(outcomes []follow.Outcome) error {
	var errs []error
	for _, o := range outcomes {
		errs = append(errs, fmt.Errorf("%s: deployment %s was started and could not be followed: nothing is verified, and the tags stay on %s: %w", o.Deployment.Service.Ref, o.Deployment.ID, d.target.Revision(), o.Err))
	}
	return fault.As(fault.AWS, errors.Join(errs...))
}

// stopAndRevert stops the deployments under way and reverts the tags, as the
// end of each deployment requires. Running new images stay protected. Where
// another deployment took over, the tags are left to it.
func (d *job) stopAndRevert(ctx context.Context, outcomes []follow.Outcome) error {
	outcomes = d.stop(ctx, outcomes, follow.Interrupted)
	after := revisions.RolloutResult{Keep: map[registry.Ref]bool{}}
	back := slices.ContainsFunc(outcomes, func(o follow.Outcome) bool {
		return o.Status != follow.Succeeded && o.Status != follow.Differs && o.Status != follow.Superseded && o.Err == nil
	})
	for _, o := range outcomes {
		switch {
		case o.Status == follow.Superseded:
			d.Warnf("%s: another deployment took over: its tags were left as they are", o.Deployment.Service.Ref)
			for _, repo := range d.reposOf(o.Deployment.Service.Ref) {
				after.Keep[repo.Ref] = true
			}
		case o.Status == follow.Succeeded, o.Err != nil:
			d.protect(&after, o.Deployment)
		case o.Status == follow.Differs:
			d.keepOrProtect(&after, o, back)
		}
	}
	for _, dep := range d.notStopped {
		d.protect(&after, dep)
	}
	if d.revert == nil {
		return nil
	}
	err := d.revert(ctx, after)
	if d.replaced {
		d.warn(NotResumed, d.services.Named(), "the replaced deployment is not resumed: ECS rolls back to the last successful deployment, and latest was reverted")
	}
	for _, o := range outcomes {
		if o.Status == follow.Succeeded {
			ref := o.Deployment.Service.Ref
			d.warn(Uneven, []ecs.Ref{ref}, "%s runs %s, but latest was reverted", ref, d.target.Revision())
		}
	}
	return err
}

// failed reverts the tags, sees to services that ECS does not roll back, and
// returns an error that names the failed deployments.
func (d *job) failed(ctx context.Context, outcomes, bad []follow.Outcome) error {
	reverted := d.stopAndRevert(ctx, outcomes)
	bad, err := d.recover(ctx, bad)
	return errors.Join(&FailedError{name: d.target.Name, Outcomes: bad}, reverted, err)
}

// interrupt asks whether the deployments go on. Either way, tags and deployments agree.
func (d *job) interrupt(ctx context.Context, outcomes, open []follow.Outcome) error {
	lasting := context.WithoutCancel(ctx)
	if d.Interactive() {
		answer, _ := d.Host.Ask(lasting, "leave the deployment running (the tags stay with it), or stop it and go back? [L/s] ")
		if strings.EqualFold(answer, "s") || strings.EqualFold(answer, "stop") {
			if outcomes = d.stop(lasting, outcomes, follow.Interrupted); allSucceeded(outcomes) {
				return &fault.InterruptedError{State: "interrupted: the deployment had succeeded before it could be stopped, and the tags stay on " + d.target.Revision()}
			}
			return errors.Join(&fault.InterruptedError{State: "interrupted: the deployment was stopped"}, d.stopAndRevert(lasting, outcomes))
		}
	}
	for _, o := range open {
		d.warn(Unfollowed, d.services.Named(), "%s: deployment %s goes on without being followed; the tags stay on %s", o.Deployment.Service.Ref, o.Deployment.ID, d.target.Revision())
	}
	return &fault.InterruptedError{State: "interrupted: the deployment goes on"}
}

func allSucceeded(outcomes []follow.Outcome) bool {
	return !slices.ContainsFunc(outcomes, func(o follow.Outcome) bool { return o.Status != follow.Succeeded })
}

// explain reports why a deployment did not succeed.
func (d *job) explain(o follow.Outcome) {
	d.Errorf("%s: deployment %s %s: %s", o.Deployment.Service.Ref, o.Deployment.ID, o.Status, o.Reason)
	if o.Diagnosis != nil {
		d.hooks.Diagnosis(o.Deployment.Service.Ref, *o.Diagnosis)
	}
}

// FailedError are the deployments that did not succeed.
type FailedError struct {
	name     string
	Outcomes []follow.Outcome
}

// Error names the services by how they ended.
func (e *FailedError) Error() string {
	var parts []string
	for _, o := range e.Outcomes {
		parts = append(parts, fmt.Sprintf("%s %s", o.Deployment.Service.Ref, o.Status))
	}
	what := "rollout"
	if e.name != "" {
		what += " of " + e.name
	}
	return what + ": " + strings.Join(parts, ", ")
}

// Kind returns the kind of the worst outcome: a failure that was not rolled back
// is worse than one that was, and that is worse than a rollout that may still
// succeed.
func (e *FailedError) Kind() fault.Kind {
	kind := fault.Timeout
	for _, o := range e.Outcomes {
		switch o.Status {
		case follow.TimedOut:
		case follow.RolledBack:
			kind = min(kind, fault.RolledBack)
		default:
			kind = fault.Rollout
		}
	}
	return kind
}
