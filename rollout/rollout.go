// Package rollout is the flow of a rollout and a rollback: it takes images that are in
// the registry to ECS. It finds the services and the images, decides the change of each
// service, moves the tags, deploys, waits, verifies, and reverts the tags if that fails.
package rollout

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/admission"
	"slipway/registry/revisions"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// Options say how a rollout deploys. They are complete and validated before it
// begins.
type Options struct {
	// Timeout is how long a deployment may make no progress; 0 for DefaultTimeout.
	Timeout time.Duration
	// NoWait starts the deployments and does not follow them.
	NoWait bool
	// BeforeTimeout is how long a one-off task may take; 0 for oneoff.DefaultTimeout.
	BeforeTimeout time.Duration
	// RollbackOnFailure deploys again what a service ran if its deployment fails
	// and ECS does not roll it back.
	RollbackOnFailure bool
	// RequireScan is the level of findings from which ECR's scan of an image keeps it
	// from being deployed; empty asks for no scan. RequireSignature asks for a
	// signature of ECR's managed signing.
	RequireScan      admission.Level
	RequireSignature bool
	// Return returns each service to the task definition that ran the images, if
	// Slipway wrote its settings.
	Return bool
	// Exact writes the images into the task definitions as the target has them.
	Exact bool
	// NoLatest moves no tag: the task definitions name the images.
	NoLatest bool
	// KeepLatest moves the tags of the ECS services and leaves latest where it is.
	KeepLatest bool
	// Overtaken reports just before the deployments whether another job will deploy a
	// later revision; nothing is deployed then. It may be nil.
	Overtaken func(context.Context) bool
	// DryRun decides and reports the changes, and makes none.
	DryRun bool
	// Question is asked on a terminal before anything changes; empty asks nothing.
	Question string
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

// Run is the flow of a rollout, once its target is known:
//
//	decided (pure) → logged and confirmed → tags moved → deployed → followed → result,
//
// or, when that fails, the tags are reverted. Nothing is written before the change of
// every service is decided. The services have been read. The results are those of all
// services, also with an error.
func Run(ctx context.Context, host *project.Host, aws *awsclient.Clients, o Options, s *Services, t *Target, h Hooks) ([]Result, error) {
	o.KeepLatest = o.KeepLatest || s.LatestByBuild && t.published == nil
	// A task definition that names latest would not get the images.
	o.Exact = o.Exact || o.NoLatest || o.KeepLatest
	d := newJob(host, aws, o, s, t, h)
	d.Host.Revision(t.Name)
	err := d.run(ctx)
	return d.sorted(), err
}

// job is one rollout.
type job struct {
	*project.Host
	hooks    Hooks
	options  Options
	aws      *awsclient.Clients
	clients  registry.Clients
	services *Services
	target   *Target
	// snapshot are the tags as they were read last.
	snapshot *revisions.Snapshot
	// moved are the tags that were moved since.
	moved []revisions.Change
	// revert reverts the tags after a failed deployment and logs that; nil while no
	// tag has been moved.
	revert func(context.Context, revisions.RolloutResult) error
	// asked reports that a question was asked, or one-off tasks have run: time has passed.
	asked bool
	// replaced reports that deployments under way were replaced: they are not resumed.
	replaced bool
	// notStopped are the deployments that could not be stopped.
	notStopped []ecs.Deployment
	started    time.Time
	results    []Result
}

func newJob(host *project.Host, aws *awsclient.Clients, o Options, s *Services, t *Target, h Hooks) *job {
	return &job{
		Host: host, hooks: h, options: o, aws: aws, clients: aws.Registries(),
		services: s, target: t, snapshot: t.snapshot, started: time.Now(),
	}
}

func (d *job) run(ctx context.Context) error {
	if err := d.adopt(ctx); err != nil {
		return err
	}
	if err := d.findEarlier(ctx); err != nil {
		return err
	}
	changes, err := Decide(d.services, d.target, d.options.Exact)
	if err != nil {
		return errors.Join(err, d.revertTags(ctx, revisions.RolloutResult{}))
	}
	d.logChanges(changes)
	if d.options.DryRun {
		d.addPlanned(changes)
		return d.checkBusy(ctx, changes)
	}
	if err := d.confirm(ctx, changes); err != nil {
		return err
	}
	if d.asked {
		if changes, err = d.decideAgain(ctx, changes); err != nil {
			return err
		}
	}
	if err := d.checkBusy(ctx, changes); err != nil {
		return errors.Join(err, d.revertTags(ctx, revisions.RolloutResult{}))
	}
	if err := d.admit(ctx, changes); err != nil {
		return errors.Join(err, d.revertTags(ctx, revisions.RolloutResult{}))
	}
	if changes, err = d.before(ctx, changes); err != nil {
		return errors.Join(err, d.revertTags(ctx, revisions.RolloutResult{}))
	}
	if len(d.target.images) > 0 && !d.options.NoLatest {
		if err := d.promote(ctx); err != nil {
			return err
		}
	}
	if d.options.Overtaken != nil && d.options.Overtaken(ctx) {
		return nil
	}
	deployments, err := d.deploy(ctx, changes)
	if err != nil {
		return d.failToStart(ctx, deployments, err)
	}
	if d.options.NoWait {
		for _, dep := range deployments {
			d.add(dep, "started", "")
		}
		return nil
	}
	return d.finish(ctx, d.followAndStop(ctx, deployments))
}

// checkBusy refuses services that CodeDeploy is deploying other images to: it takes no
// second deployment, and that must not come out when tags have moved.
func (d *job) checkBusy(ctx context.Context, changes []ecs.Change) error {
	for _, c := range changes {
		if err := ecs.Busy(ctx, d.aws.ECS(), d.aws.CodeDeploy(), c); err != nil {
			return fault.As(fault.AWS, err)
		}
	}
	return nil
}

// Decide returns the change of each service. It makes no request.
func Decide(s *Services, t *Target, exact bool) ([]ecs.Change, error) {
	var changes []ecs.Change
	for _, st := range s.List {
		state, err := s.withSettings(st)
		if err != nil {
			return nil, err
		}
		c, err := ecs.Decide(state, st.keepHosts(t.Desired[st.Ref]), exact)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, s.checkReach(changes)
}

// logChanges says what will change, before anything does.
func (d *job) logChanges(changes []ecs.Change) {
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
		if c.Service.Settings != nil && len(c.Service.Settings.Fields) > 0 {
			d.Infof("%s: settings that change: %s", c.Service.Ref, strings.Join(c.Service.Settings.Fields, ", "))
		}
		d.Infof("%s: %s", c.Service.Ref, c.Why)
		d.logNew(c)
		if before := d.services.Before[c.Service.Ref]; len(before) > 0 && d.services.oneOff[c.Service.Ref] == nil {
			d.Infof("%s: one-off tasks that run first: %s", c.Service.Ref, namesOf(before))
		}
		if c.Service.Express() {
			d.Warnf("%s: ECS Express Mode owns the service: its next update may overwrite the change", c.Service.Ref)
		}
		if why := ecs.Blocks(c.Service.Raw); why != "" {
			d.warn(Blocked, []ecs.Ref{c.Service.Ref}, "%s: the deployment cannot begin: %s", c.Service.Ref, why)
		}
		if c.Replaces != nil {
			d.replaced = true
			d.Warnf("%s: a deployment has been under way for %s (%s) and will be replaced", c.Service.Ref, phrase.Ago(time.Now(), c.Replaces.Created), c.Replaces.Status)
		}
	}
}

func (d *job) confirm(ctx context.Context, changes []ecs.Change) error {
	pending := slices.ContainsFunc(changes, func(c ecs.Change) bool { return c.Action != ecs.Leave })
	if d.options.Question == "" || !d.Interactive() || !pending {
		return nil
	}
	d.asked = true
	yes, err := d.Host.Confirm(ctx, d.options.Question)
	if err != nil {
		return &fault.InterruptedError{State: "interrupted: nothing was touched"}
	}
	if !yes {
		return refuse(NotConfirmed, "not confirmed: nothing was touched")
	}
	return nil
}

// decideAgain reads the services once more after a question, whose answer took
// its time, and refuses to continue if they have changed since.
func (d *job) decideAgain(ctx context.Context, shown []ecs.Change) ([]ecs.Change, error) {
	if err := d.services.Read(ctx, d.Host, d.aws); err != nil {
		return nil, err
	}
	changes, err := Decide(d.services, d.target, d.options.Exact)
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

// deploy starts all deployments. Once it has begun it continues after an
// interrupt: otherwise some services would get the new images and some would
// not.
func (d *job) deploy(ctx context.Context, changes []ecs.Change) ([]ecs.Deployment, error) {
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
func (d *job) start(ctx context.Context, c ecs.Change) (*ecs.Deployment, error) {
	dep, err := ecs.Deploy(ctx, d.aws.ECS(), d.aws.CodeDeploy(), c)
	if err == nil {
		return &dep, nil
	}
	var open *ecs.DeployError
	if errors.As(err, &open) && open.Started {
		if dep, begun, looked := ecs.Begun(ctx, d.aws.ECS(), c); begun && looked == nil {
			return &dep, nil
		}
	}
	return nil, err
}

// startTime bounds the starting of all deployments.
const startTime = 2 * time.Minute

// follow waits for all deployments to end.
func (d *job) follow(ctx context.Context, deployments []ecs.Deployment) []follow.Outcome {
	return d.followWith(ctx, deployments, func(Display) func(follow.Outcome) { return nil })
}

// followWith is follow with what is to be called, given the display, as each one ends.
func (d *job) followWith(ctx context.Context, deployments []ecs.Deployment, ended func(Display) func(follow.Outcome)) []follow.Outcome {
	if len(deployments) == 0 {
		return nil
	}
	var refs []ecs.Ref
	for _, dep := range deployments {
		refs = append(refs, dep.Service.Ref)
	}
	f := d.hooks.Display(refs)
	defer f.Close()
	follower := d.follower()
	follower.Limit = cmp.Or(d.options.Timeout, DefaultTimeout)
	follower.Ended = ended(f)
	return follower.Follow(ctx, deployments, f.Report)
}

func (d *job) follower() follow.Follower {
	return follow.Follower{ECS: d.aws.ECS(), CodeDeploy: d.aws.CodeDeploy(), Logs: d.aws.Logs()}
}
