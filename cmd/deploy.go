package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// deployOptions are the flags of every command that deploys.
type deployOptions struct {
	timeout time.Duration
	noWait  bool
}

// defaultTimeout is how long a deployment may make no progress (follow.Follower.Limit).
const defaultTimeout = 15 * time.Minute

func (o *deployOptions) flags(f *pflag.FlagSet) {
	f.DurationVar(&o.timeout, "timeout", 0, "how long a deployment may make no progress before it is stopped (default 15m)")
	f.BoolVar(&o.noWait, "no-wait", false, "start the deployments and do not follow them: nothing is verified")
}

func (o deployOptions) check() error {
	if o.timeout < 0 {
		return fault.New(fault.Usage, fmt.Errorf("--timeout: want a positive duration, have %s", o.timeout), "leave the flag out for 15m")
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
	*cli
	options deployOptions
	clients registry.Clients
	cloud   *awsclient.Clients
	site    *site
	// name is the revision's, empty where the images have no common one.
	name string
	// wants are the images by service and container; exact writes them into the task
	// definition as they are.
	wants map[ecs.Ref]map[string]ecs.DesiredImage
	exact bool
	// survey and images are the revision in the registry, for the tags to move; no images
	// where the tags are moved already or not ours to move.
	survey *revisions.Snapshot
	images []revisions.RevisionImage
	// restore puts the tags back after a failed deployment and tells what it did; nil
	// while there is nothing to put back.
	restore func(context.Context, revisions.RolloutResult) error
	// question is asked on a terminal; empty asks nothing. asked tells that it was.
	question string
	asked    bool
	// replaced tells that deployments under way were replaced: they do not come back.
	replaced bool
	// goingOn are the deployments that could not be stopped.
	goingOn []ecs.Deployment
	started time.Time
	rows    []rolledOut
}

// run is the flow behind the decision which images are wanted.
func (d *deployJob) run(ctx context.Context) error {
	d.started = time.Now()
	d.jobLog.about(d.name)
	changes, err := d.decide()
	if err != nil {
		return errors.Join(err, d.putBack(ctx, revisions.RolloutResult{}))
	}
	d.tell(changes)
	if err := d.confirm(ctx, changes); err != nil {
		return err
	}
	if d.asked {
		if changes, err = d.decideAgain(ctx, changes); err != nil {
			return err
		}
	}
	if err := d.checkBusy(ctx, changes); err != nil {
		return errors.Join(err, d.putBack(ctx, revisions.RolloutResult{}))
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
	return d.conclude(ctx, d.followAndStop(ctx, deployments))
}

// checkBusy refuses services that CodeDeploy is deploying other images to: it takes no
// second deployment, and that must not come out when tags have moved.
func (d *deployJob) checkBusy(ctx context.Context, changes []ecs.Change) error {
	for _, c := range changes {
		if err := ecs.Busy(ctx, d.cloud.ECS(), d.cloud.CodeDeploy(), c); err != nil {
			return refused(err)
		}
	}
	return nil
}

// decide makes out for every service what has to happen.
func (d *deployJob) decide() ([]ecs.Change, error) {
	var changes []ecs.Change
	for _, st := range d.site.stations {
		c, err := ecs.Decide(st.service, st.keepHosts(d.wants[st.Ref]), d.exact)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, d.checkReach(changes)
}

// tell says what will change, before anything does.
func (d *deployJob) tell(changes []ecs.Change) {
	for _, c := range changes {
		for _, note := range c.Notes {
			d.Warnf("%s: %s", c.Service.Ref, note)
		}
		if c.Action == ecs.Leave {
			d.Infof("%s is left alone: %s", c.Service.Ref, c.Why)
			continue
		}
		for _, line := range c.Lines {
			d.Infof("%s: %s", c.Service.Ref, line)
		}
		d.Infof("%s: %s", c.Service.Ref, c.Why)
		if c.Replaces != nil {
			d.replaced = true
			d.Warnf("%s: a deployment has been under way for %s (%s) and will be replaced", c.Service.Ref, ago(time.Now(), c.Replaces.Created), c.Replaces.Status)
		}
	}
}

func (d *deployJob) confirm(ctx context.Context, changes []ecs.Change) error {
	pending := slices.ContainsFunc(changes, func(c ecs.Change) bool { return c.Action != ecs.Leave })
	if d.question == "" || !d.Interactive() || !pending {
		return nil
	}
	d.asked = true
	yes, err := d.cli.Confirm(ctx, d.question)
	if err != nil {
		return &interruptedError{"interrupted: nothing was touched"}
	}
	if !yes {
		return fault.New(fault.Usage, errors.New("not confirmed: nothing was touched"), "answer y, or give --yes")
	}
	return nil
}

// decideAgain looks at the services once more after a question, whose answer took its
// time, and refuses to go on where they are not what was shown.
func (d *deployJob) decideAgain(ctx context.Context, shown []ecs.Change) ([]ecs.Change, error) {
	if err := d.site.look(ctx, d.cli, d.cloud); err != nil {
		return nil, err
	}
	changes, err := d.decide()
	if err != nil {
		return nil, err
	}
	for i, c := range changes {
		if !slices.Equal(c.Lines, shown[i].Lines) || c.Action != shown[i].Action || (c.Replaces == nil) != (shown[i].Replaces == nil) {
			return nil, fault.New(fault.Usage, fmt.Errorf("%s has changed since it was shown: nothing was touched", c.Service.Ref), "type the command again to see what it is now")
		}
	}
	return changes, nil
}

// maxDeploys is how many services are written to at once.
const maxDeploys = 8

// deploy starts all deployments. Once it has begun it goes on after an interrupt: a
// Component that got its deployment and one that did not would be half a roll-out.
func (d *deployJob) deploy(ctx context.Context, changes []ecs.Change) ([]ecs.Deployment, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	started := make([]*ecs.Deployment, len(changes))
	errs := make([]error, len(changes))
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTime)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(maxDeploys)
	for i, c := range changes {
		if c.Action == ecs.Leave {
			d.addLeft(c)
			continue
		}
		g.Go(func() error {
			started[i], errs[i] = d.start(lasting, c)
			return nil
		})
	}
	_ = g.Wait() // the goroutines keep their errors in errs
	var out []ecs.Deployment
	for _, dep := range started {
		if dep != nil {
			out = append(out, *dep)
			d.Infof("%s: deployment %s started", dep.Service.Ref, dep.ID)
		}
	}
	return out, errors.Join(errs...)
}

// start starts one deployment. Where the answer got lost, it looks whether it began.
func (d *deployJob) start(ctx context.Context, c ecs.Change) (*ecs.Deployment, error) {
	dep, err := ecs.Deploy(ctx, d.cloud.ECS(), d.cloud.CodeDeploy(), c)
	if err == nil {
		return &dep, nil
	}
	var open *ecs.DeployError
	if errors.As(err, &open) && open.Started {
		if dep, begun, looked := ecs.Begun(ctx, d.cloud.ECS(), c); begun && looked == nil {
			return &dep, nil
		}
	}
	return nil, err
}

// startTime bounds the starting of all deployments.
const startTime = 2 * time.Minute

// follow waits for all deployments to end.
func (d *deployJob) follow(ctx context.Context, deployments []ecs.Deployment) []follow.Outcome {
	return d.followWith(ctx, deployments, func(*following) func(follow.Outcome) { return nil })
}

// followWith is follow with what is to be called, given the display, as each one ends.
func (d *deployJob) followWith(ctx context.Context, deployments []ecs.Deployment, ended func(*following) func(follow.Outcome)) []follow.Outcome {
	if len(deployments) == 0 {
		return nil
	}
	var refs []ecs.Ref
	for _, dep := range deployments {
		refs = append(refs, dep.Service.Ref)
	}
	f := newFollowing(d.cli, refs)
	defer f.close()
	follower := d.follower()
	follower.Limit = cmp.Or(d.options.timeout, defaultTimeout)
	follower.Ended = ended(f)
	return follower.Follow(ctx, deployments, f.report)
}

func (d *deployJob) follower() follow.Follower {
	return follow.Follower{ECS: d.cloud.ECS(), CodeDeploy: d.cloud.CodeDeploy(), Logs: d.cloud.Logs()}
}
