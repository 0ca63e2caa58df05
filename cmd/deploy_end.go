package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/rollout"
)

// abandon goes back after some deployments could not be started.
func (d *deployJob) abandon(ctx context.Context, deployments []rollout.Deployment, cause error) error {
	if errors.Is(cause, context.Canceled) {
		return errors.Join(cause, d.putBack(ctx))
	}
	d.halt(ctx, deployments)
	return refused(errors.Join(cause, d.putBack(ctx)))
}

// putBack is restore, if there is something to put back.
func (d *deployJob) putBack(ctx context.Context) error {
	if d.restore == nil {
		return nil
	}
	return d.restore(ctx)
}

// halt asks ECS to take deployments of ours back to what ran before.
func (d *deployJob) halt(ctx context.Context, deployments []rollout.Deployment) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTime)
	defer cancel()
	for _, dep := range deployments {
		if err := rollout.StopDeployment(ctx, d.cloud.ecs(), d.cloud.codeDeploy(), dep); err != nil {
			d.log.Warn().Msgf("%s: deployment %s could not be stopped and goes on: %v", dep.Service.Ref, dep.ID, err)
			continue
		}
		d.log.Info().Msgf("%s: stopped deployment %s, ECS goes back to what ran before", dep.Service.Ref, dep.ID)
	}
}

// conclude turns the ends of the deployments into the result of the command.
func (d *deployJob) conclude(ctx context.Context, outcomes []rollout.Outcome) error {
	var bad, open, timedOut, unseen []rollout.Outcome
	for _, o := range outcomes {
		d.add(o.Deployment, string(o.Status), o.Reason)
		switch {
		case o.Status == rollout.Succeeded:
		case o.Status == rollout.Interrupted:
			open = append(open, o)
		case o.Err != nil:
			unseen = append(unseen, o)
		case o.Status == rollout.TimedOut:
			timedOut = append(timedOut, o)
			bad = append(bad, o)
		default:
			bad = append(bad, o)
		}
	}
	for _, o := range slices.Concat(bad, unseen) {
		d.explain(o)
	}
	switch {
	case len(open) > 0 && len(bad) == 0:
		return d.interrupt(ctx, open)
	case len(bad) > 0:
		d.halt(ctx, deploymentsOf(slices.Concat(timedOut, open)))
		return d.failed(ctx, outcomes, bad)
	case len(unseen) > 0:
		return d.unverified(unseen)
	default:
		return nil
	}
}

// unverified says of deployments that AWS does not let us follow that they go on. The
// tags stay with them: that they fail is not known.
func (d *deployJob) unverified(outcomes []rollout.Outcome) error {
	var errs []error
	for _, o := range outcomes {
		errs = append(errs, fmt.Errorf("%s: deployment %s was started and could not be followed: nothing is verified, and the tags stay on %s: %w", o.Deployment.Service.Ref, o.Deployment.ID, d.revision(), o.Err))
	}
	return refused(errors.Join(errs...))
}

func deploymentsOf(outcomes []rollout.Outcome) []rollout.Deployment {
	var out []rollout.Deployment
	for _, o := range outcomes {
		out = append(out, o.Deployment)
	}
	return out
}

// failed puts the tags back and says which service runs what now.
func (d *deployJob) failed(ctx context.Context, outcomes, bad []rollout.Outcome) error {
	failure := &rolloutsFailed{name: d.name, outcomes: bad}
	if slices.ContainsFunc(bad, func(o rollout.Outcome) bool { return o.Status == rollout.Superseded }) {
		// Whoever deployed after us has moved latest, or counts on where it stands.
		d.log.Warn().Msg("another deployment took over: the tags were left as they are")
		return failure
	}
	if d.restore == nil {
		return failure
	}
	if err := d.restore(ctx); err != nil {
		return errors.Join(failure, err)
	}
	for _, o := range outcomes {
		if o.Status == rollout.Succeeded {
			d.log.Warn().Msgf("%s runs %s and latest does not stand on it any more", o.Deployment.Service.Ref, d.revision())
		}
	}
	return failure
}

// interrupt asks whether the deployments go on. Either way, tags and deployments agree.
func (d *deployJob) interrupt(ctx context.Context, open []rollout.Outcome) error {
	lasting := context.WithoutCancel(ctx)
	if d.interactive() {
		answer, _ := d.world.ask(lasting, "leave the deployment running (the tags stay with it), or stop it and go back? [L/s] ")
		if strings.EqualFold(answer, "s") || strings.EqualFold(answer, "stop") {
			d.halt(lasting, deploymentsOf(open))
			return errors.Join(context.Canceled, d.putBack(lasting))
		}
	}
	for _, o := range open {
		d.log.Warn().Msgf("%s: deployment %s goes on without being followed; the tags stay on %s (slipway status shows how it ends)", o.Deployment.Service.Ref, o.Deployment.ID, d.revision())
	}
	return fmt.Errorf("interrupted while following: %w", context.Canceled)
}

func (d *deployJob) revision() string {
	if d.name == "" {
		return "the revision"
	}
	return d.name
}

// explain prints why a deployment did not succeed.
func (d *deployJob) explain(o rollout.Outcome) {
	d.log.Error().Msgf("%s: deployment %s %s: %s", o.Deployment.Service.Ref, o.Deployment.ID, o.Status, o.Reason)
	if o.Diagnosis == nil {
		return
	}
	for _, line := range o.Diagnosis.Lines() {
		fmt.Fprintln(d.stderr, line)
	}
}

// rolloutsFailed are the deployments that did not succeed.
type rolloutsFailed struct {
	name     string
	outcomes []rollout.Outcome
}

// Error names the services by how they ended.
func (e *rolloutsFailed) Error() string {
	var parts []string
	for _, o := range e.outcomes {
		parts = append(parts, fmt.Sprintf("%s %s", o.Deployment.Service.Ref, o.Status))
	}
	what := "roll-out"
	if e.name != "" {
		what += " of " + e.name
	}
	return what + ": " + strings.Join(parts, ", ")
}

// code is the exit code: a failure nothing brought back weighs more than one that was,
// and that more than one that may still succeed.
func (e *rolloutsFailed) code() int {
	code := exitTimedOut
	for _, o := range e.outcomes {
		switch o.Status {
		case rollout.TimedOut:
		case rollout.RolledBack:
			code = min(code, exitRolledBack)
		default:
			code = min(code, exitRollout)
		}
	}
	return code
}
