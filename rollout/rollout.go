// Package rollout is the flow of a rollout and a rollback: it takes images that are in
// the registry to ECS. It finds the services and the images, decides the change of each
// service, moves the tags, deploys, waits, verifies, and reverts the tags if that fails.
package rollout

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// Options say how deployments are followed.
type Options struct {
	Timeout time.Duration
	NoWait  bool
}

// DefaultTimeout is how long a deployment may make no progress (follow.Follower.Limit).
const DefaultTimeout = 15 * time.Minute

// Display shows deployments under way. Its methods may be called by several
// goroutines.
type Display interface {
	// Report receives progress of a deployment.
	Report(follow.Progress)
	// Aside calls print, which reports other things, between two reports.
	Aside(print func())
	// Close ends the display.
	Close()
}

// Hooks render what a rollout reports beyond events.
type Hooks struct {
	// Display returns the display of the deployments of some services.
	Display func(services []ecs.Ref) Display
	// Diagnosis receives why a deployment of a service did not succeed.
	Diagnosis func(service ecs.Ref, found diagnose.Diagnosis)
}

// Rollout takes a revision that is in the registry to ECS, once for rollback, rollout
// and build --rollout:
//
//	decided (pure) → logged and confirmed → tags moved → deployed → followed → result,
//
// or, when that fails, the tags are reverted. Nothing is touched before all of it
// is decided for every service.
type Rollout struct {
	*project.Host
	Hooks    Hooks
	Options  Options
	Clients  registry.Clients
	AWS      *awsclient.Clients
	Services *Services
	// Name is the revision's, empty where the images have no common one.
	Name string
	// Desired are the images by service and container; exact writes them into the task
	// definition as they are.
	Desired map[ecs.Ref]map[string]ecs.DesiredImage
	Exact   bool
	// snapshot and images are the revision in the registry, for the tags to move; no images
	// where the tags are moved already or not ours to move.
	snapshot *revisions.Snapshot
	images   []revisions.RevisionImage
	// Revert reverts the tags after a failed deployment and reports that; nil while no
	// tag has been moved.
	Revert func(context.Context, revisions.RolloutResult) error
	// Question is asked on a terminal; empty asks nothing. asked reports that it was.
	Question string
	asked    bool
	// replaced reports that deployments under way were replaced: they are not resumed.
	replaced bool
	// notStopped are the deployments that could not be stopped.
	notStopped []ecs.Deployment
	started    time.Time
	results    []Result
}

// Run is the flow behind the decision which images are wanted.
func (d *Rollout) Run(ctx context.Context) error {
	d.started = time.Now()
	d.Host.Revision(d.Name)
	changes, err := d.Decide()
	if err != nil {
		return errors.Join(err, d.RevertTags(ctx, revisions.RolloutResult{}))
	}
	d.logChanges(changes)
	if err := d.confirm(ctx, changes); err != nil {
		return err
	}
	if d.asked {
		if changes, err = d.decideAgain(ctx, changes); err != nil {
			return err
		}
	}
	if err := d.checkBusy(ctx, changes); err != nil {
		return errors.Join(err, d.RevertTags(ctx, revisions.RolloutResult{}))
	}
	if len(d.images) > 0 {
		if err := d.promote(ctx); err != nil {
			return err
		}
	}
	deployments, err := d.deploy(ctx, changes)
	if err != nil {
		return d.failToStart(ctx, deployments, err)
	}
	if d.Options.NoWait {
		for _, dep := range deployments {
			d.add(dep, "started", "")
		}
		return nil
	}
	return d.finish(ctx, d.followAndStop(ctx, deployments))
}

// checkBusy refuses services that CodeDeploy is deploying other images to: it takes no
// second deployment, and that must not come out when tags have moved.
func (d *Rollout) checkBusy(ctx context.Context, changes []ecs.Change) error {
	for _, c := range changes {
		if err := ecs.Busy(ctx, d.AWS.ECS(), d.AWS.CodeDeploy(), c); err != nil {
			return fault.As(fault.AWS, err)
		}
	}
	return nil
}

// Decide computes the change of each service. It makes no request.
func (d *Rollout) Decide() ([]ecs.Change, error) {
	var changes []ecs.Change
	for _, st := range d.Services.List {
		c, err := ecs.Decide(st.State, st.keepHosts(d.Desired[st.Ref]), d.Exact)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, d.checkReach(changes)
}

// logChanges says what will change, before anything does.
func (d *Rollout) logChanges(changes []ecs.Change) {
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
			d.Warnf("%s: a deployment has been under way for %s (%s) and will be replaced", c.Service.Ref, phrase.Ago(time.Now(), c.Replaces.Created), c.Replaces.Status)
		}
	}
}

func (d *Rollout) confirm(ctx context.Context, changes []ecs.Change) error {
	pending := slices.ContainsFunc(changes, func(c ecs.Change) bool { return c.Action != ecs.Leave })
	if d.Question == "" || !d.Interactive() || !pending {
		return nil
	}
	d.asked = true
	yes, err := d.Host.Confirm(ctx, d.Question)
	if err != nil {
		return &fault.InterruptedError{State: "interrupted: nothing was touched"}
	}
	if !yes {
		return refuse(NotConfirmed, "not confirmed: nothing was touched")
	}
	return nil
}

// decideAgain looks at the services once more after a question, whose answer took its
// time, and refuses to go on where they are not what was shown.
func (d *Rollout) decideAgain(ctx context.Context, shown []ecs.Change) ([]ecs.Change, error) {
	if err := d.Services.Read(ctx, d.Host, d.AWS); err != nil {
		return nil, err
	}
	changes, err := d.Decide()
	if err != nil {
		return nil, err
	}
	for i, c := range changes {
		if !slices.Equal(c.Lines, shown[i].Lines) || c.Action != shown[i].Action || (c.Replaces == nil) != (shown[i].Replaces == nil) {
			return nil, refuse(Changed, "%s has changed since it was shown: nothing was touched", c.Service.Ref)
		}
	}
	return changes, nil
}

// MaxCalls is how many services are written to at once.
const MaxCalls = 8

// deploy starts all deployments. Once it has begun it goes on after an interrupt: a
// service that got its deployment and one that did not would be half a roll-out.
func (d *Rollout) deploy(ctx context.Context, changes []ecs.Change) ([]ecs.Deployment, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	started := make([]*ecs.Deployment, len(changes))
	errs := make([]error, len(changes))
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTime)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(MaxCalls)
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
func (d *Rollout) start(ctx context.Context, c ecs.Change) (*ecs.Deployment, error) {
	dep, err := ecs.Deploy(ctx, d.AWS.ECS(), d.AWS.CodeDeploy(), c)
	if err == nil {
		return &dep, nil
	}
	var open *ecs.DeployError
	if errors.As(err, &open) && open.Started {
		if dep, begun, looked := ecs.Begun(ctx, d.AWS.ECS(), c); begun && looked == nil {
			return &dep, nil
		}
	}
	return nil, err
}

// startTime bounds the starting of all deployments.
const startTime = 2 * time.Minute

// follow waits for all deployments to end.
func (d *Rollout) follow(ctx context.Context, deployments []ecs.Deployment) []follow.Outcome {
	return d.followWith(ctx, deployments, func(Display) func(follow.Outcome) { return nil })
}

// followWith is follow with what is to be called, given the display, as each one ends.
func (d *Rollout) followWith(ctx context.Context, deployments []ecs.Deployment, ended func(Display) func(follow.Outcome)) []follow.Outcome {
	if len(deployments) == 0 {
		return nil
	}
	var refs []ecs.Ref
	for _, dep := range deployments {
		refs = append(refs, dep.Service.Ref)
	}
	f := d.Hooks.Display(refs)
	defer f.Close()
	follower := d.follower()
	follower.Limit = cmp.Or(d.Options.Timeout, DefaultTimeout)
	follower.Ended = ended(f)
	return follower.Follow(ctx, deployments, f.Report)
}

func (d *Rollout) follower() follow.Follower {
	return follow.Follower{ECS: d.AWS.ECS(), CodeDeploy: d.AWS.CodeDeploy(), Logs: d.AWS.Logs()}
}
