package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/rollout"
)

// deployOptions are the flags of every command that deploys.
type deployOptions struct {
	timeout time.Duration
	noWait  bool
}

// defaultTimeout is how long a deployment may take, bake times not counted.
const defaultTimeout = 15 * time.Minute

func (o *deployOptions) flags(f *pflag.FlagSet) {
	f.DurationVar(&o.timeout, "timeout", 0, "how long a deployment may take before it is stopped (default 15m, and the bake times that the service has)")
	f.BoolVar(&o.noWait, "no-wait", false, "start the deployments and do not follow them: nothing is verified, nothing is put back")
}

func (o deployOptions) check() error {
	if o.timeout < 0 {
		return &usageError{fmt.Errorf("--timeout: want a positive duration, have %s", o.timeout), "leave the flag out for 15m"}
	}
	return nil
}

// deployJob takes a revision that is in the registry to ECS, once for rollback, rollout
// and build --rollout:
//
//	decided (pure) → told and asked → tags moved → deployed → followed → result,
//
// or, when that fails, the tags back where they were. Nothing is touched before all of it
// is decided for every service.
type deployJob struct {
	*world
	options deployOptions
	clients registry.Clients
	cloud   *cloud
	site    *site
	// name is the revision's, empty where the images have no common one.
	name string
	// wants are the images by service and container; exact writes them into the task
	// definition as they are.
	wants map[rollout.Ref]map[string]rollout.Want
	exact bool
	// survey and images are the revision in the registry, for the tags to move; no images
	// where the tags are moved already or not ours to move.
	survey *registry.Survey
	images []registry.Placement
	// restore puts the tags back after a failed deployment and tells what it did; nil
	// while there is nothing to put back.
	restore func(context.Context) error
	// question is asked on a terminal; empty asks nothing. asked tells that it was.
	question string
	asked    bool
	started  time.Time
	rows     []rolledOut
}

// run is the flow behind the decision which images are wanted.
func (d *deployJob) run(ctx context.Context) error {
	d.started = time.Now()
	changes, err := d.decide()
	if err != nil {
		return errors.Join(err, d.putBack(ctx))
	}
	d.tell(changes)
	if err := d.confirm(ctx, changes); err != nil {
		return err
	}
	if len(d.images) > 0 {
		if err := d.promote(ctx); err != nil {
			return err
		}
	}
	deployments, err := d.deploy(ctx, changes)
	if err != nil {
		return d.abandon(ctx, deployments, err)
	}
	if d.options.noWait {
		for _, dep := range deployments {
			d.add(dep, "started", "")
		}
		return nil
	}
	return d.conclude(ctx, d.follow(ctx, deployments))
}

// decide makes out for every service what has to happen.
func (d *deployJob) decide() ([]rollout.Change, error) {
	var changes []rollout.Change
	for _, st := range d.site.stations {
		c, err := rollout.Decide(st.service, d.wants[st.ref], d.exact)
		if err != nil {
			return nil, &usageError{err, hintOf(err)}
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// tell says what will change, before anything does.
func (d *deployJob) tell(changes []rollout.Change) {
	for _, c := range changes {
		for _, note := range c.Notes {
			d.log.Warn().Msgf("%s: %s", c.Service.Ref, note)
		}
		if c.Action == rollout.Leave {
			d.log.Info().Msgf("%s is left alone: %s", c.Service.Ref, c.Why)
			continue
		}
		for _, line := range c.Lines {
			d.log.Info().Msgf("%s: %s", c.Service.Ref, line)
		}
		d.log.Info().Msgf("%s: %s", c.Service.Ref, c.Why)
		if c.Replaces != nil {
			d.log.Warn().Msgf("%s: a deployment is under way since %s (%s) and will be replaced", c.Service.Ref, ago(time.Now(), c.Replaces.Created), c.Replaces.Status)
		}
	}
}

func (d *deployJob) confirm(ctx context.Context, changes []rollout.Change) error {
	pending := slices.ContainsFunc(changes, func(c rollout.Change) bool { return c.Action != rollout.Leave })
	if d.question == "" || !d.interactive() || !pending {
		return nil
	}
	d.asked = true
	yes, err := d.world.confirm(ctx, d.question)
	if err != nil {
		return err
	}
	if !yes {
		return &usageError{errors.New("not confirmed: nothing was touched"), "answer y, or give --yes"}
	}
	return nil
}

// maxDeploys is how many services are written to at once.
const maxDeploys = 8

// deploy starts all deployments. Once it has begun it goes on after an interrupt: a
// service that got its deployment and one that did not would be half a roll-out.
func (d *deployJob) deploy(ctx context.Context, changes []rollout.Change) ([]rollout.Deployment, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	started := make([]*rollout.Deployment, len(changes))
	errs := make([]error, len(changes))
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTime)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(maxDeploys)
	for i, c := range changes {
		if c.Action == rollout.Leave {
			d.addLeft(c)
			continue
		}
		g.Go(func() error {
			dep, err := rollout.Deploy(lasting, d.cloud.ecs(), d.cloud.codeDeploy(), c)
			if err == nil {
				started[i] = &dep
			}
			errs[i] = err
			return nil
		})
	}
	_ = g.Wait() // the goroutines keep their errors in errs
	var out []rollout.Deployment
	for _, dep := range started {
		if dep != nil {
			out = append(out, *dep)
			d.log.Info().Msgf("%s: deployment %s started", dep.Service.Ref, dep.ID)
		}
	}
	return out, errors.Join(errs...)
}

// startTime bounds the starting of all deployments.
const startTime = 2 * time.Minute

// follow waits for all deployments to end.
func (d *deployJob) follow(ctx context.Context, deployments []rollout.Deployment) []rollout.Outcome {
	if len(deployments) == 0 {
		return nil
	}
	timeout := d.options.timeout
	if timeout == 0 {
		timeout = defaultTimeout
		for _, dep := range deployments {
			timeout = max(timeout, defaultTimeout+dep.Service.Wait)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var refs []rollout.Ref
	for _, dep := range deployments {
		refs = append(refs, dep.Service.Ref)
	}
	f := newFollowing(d.world, refs)
	defer f.close()
	follower := rollout.Follower{ECS: d.cloud.ecs(), CodeDeploy: d.cloud.codeDeploy(), Logs: d.cloud.logs()}
	return follower.Follow(ctx, deployments, f.report)
}

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
	var bad, timedOut []rollout.Outcome
	interrupted := false
	for _, o := range outcomes {
		d.add(o.Deployment, string(o.Status), o.Reason)
		switch o.Status {
		case rollout.Succeeded:
			continue
		case rollout.Interrupted:
			interrupted = true
		case rollout.TimedOut:
			timedOut = append(timedOut, o)
		}
		bad = append(bad, o)
	}
	if len(bad) == 0 {
		return nil
	}
	if interrupted {
		return d.interrupt(ctx, outcomes)
	}
	for _, o := range bad {
		d.explain(o)
	}
	d.halt(ctx, deploymentsOf(timedOut))
	return d.failed(ctx, outcomes, bad)
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
func (d *deployJob) interrupt(ctx context.Context, outcomes []rollout.Outcome) error {
	var open []rollout.Outcome
	for _, o := range outcomes {
		if o.Status == rollout.Interrupted {
			open = append(open, o)
		}
	}
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
