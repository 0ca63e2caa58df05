// Package build is the flow of a build: it takes a plan to a published revision. It
// finds the repositories and the engine, builds and pushes every component by digest,
// moves the tags all or nothing, writes the definitions, and sees to retention.
package build

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	"golang.org/x/sync/errgroup"

	"slipway/artifact"
	"slipway/build/engine"
	"slipway/build/inputs"
	"slipway/build/revision"
	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/referrers"
	"slipway/registry/revisions"
	"slipway/retention"
)

// Component is a component of the plan on its way through a build. The flow fills
// it in step by step.
type Component struct {
	project.Component
	// Repository is the repository as AWS describes it.
	Repository registry.Repository
	// Digest is the image's: built, or that of a tag that exists already.
	Digest string
	// Result is how the build went; zero where nothing was built.
	Result solve.Result
	// Inputs are the inputs of the image.
	Inputs inputs.Result
	// Unchanged reports that an image with the same inputs was there: nothing was
	// built.
	Unchanged bool
	// names are the names of revisions that the image of an unchanged component has,
	// as far as they were asked for.
	names []string
	// aged reports that the image is built again because of its age.
	aged bool
	// confirmed reports that the built image may be known by its inputs.
	confirmed bool
	// recorded are the artifacts with the inputs of the image that latest pointed to,
	// as far as they were looked for.
	recorded []referrers.Artifact
	// document holds the inputs as they are recorded; empty where they are not.
	document []byte
}

// Image returns the component's image in the revision.
func (c *Component) Image(extra bool) revisions.RevisionImage {
	image := revisions.RevisionImage{Repository: c.Repository, Digest: c.Digest}
	if c.Build && extra {
		image.Extra = c.ExtraTags
	}
	return image
}

// Display shows builds under way. Its methods may be called by several goroutines.
type Display interface {
	// Status receives what BuildKit says of a service.
	Status(service string, status *client.SolveStatus)
	// Retrying receives that a push failed and is tried again after a pause.
	Retrying(service string, attempt int, pause time.Duration, cause error)
	// Close ends the display.
	Close()
}

// Hooks join a build with what others do.
type Hooks struct {
	// Display returns the display of the builds of some targets.
	Display func(targets []target.Target) Display
	// Check refuses the build, when its repositories are known and before anything
	// is written; nil checks nothing.
	Check func(context.Context) error
	// Pushed is called when all images are pushed and no tag has moved; nil for nothing.
	// The snapshot has the tags from before the build. An error ends the build.
	Pushed func(context.Context, []*Component, *revisions.Snapshot) error
	// Running returns the running digests by repository, as far as they can be
	// read; nil if the plan names no ECS service.
	Running func(context.Context, []*Component) (map[registry.Ref]string, revisions.Live)
}

// Release is a published revision.
type Release struct {
	Components []*Component
	// Before are the tags as they were before the build.
	Before    *revisions.Snapshot
	Published revisions.Published
	Started   time.Time

	job     *job
	running map[registry.Ref]string
}

// Retain writes the lifecycle policies that differ, when all else has succeeded.
func (r *Release) Retain(ctx context.Context) { r.job.retain(ctx, r.running) }

// LatestRevision returns the revision of another job that latest points to in place
// of this one; empty where latest was moved, or was not to move.
func (r *Release) LatestRevision() string {
	return cmp.Or(r.Published.Newer.Revision, r.Published.SupersededBy)
}

// Close waits for the caches to be written, the engines to stop and the inputs to be
// recorded. A rollout need not wait for that.
func (r *Release) Close() {
	if caching := r.job.caching; caching != nil {
		select {
		case <-caching:
		default:
			r.job.Infof("the layer caches are still being written")
		}
	}
	r.job.closing.Wait()
}

// Run is the flow of a build behind its plan:
//
//	room for the definitions → repositories found → tags read → everything checked →
//	engine found → repositories created → images built and pushed by digest →
//	tags moved → definitions written and uploaded
//
// Nothing that another tool or a rollback can see changes before the tags move, but
// for repositories that --create-repositories creates.
//
// The caller closes the release.
func Run(ctx context.Context, host *project.Host, aws *awsclient.Clients, o Options, p *project.Plan, h Hooks) (release *Release, err error) {
	j := newJob(host, aws, o, p)
	j.hooks = h
	j.logUntrusted()
	defer func() {
		if j.closeEngines(ctx, j.found); err != nil {
			j.closing.Wait()
		}
	}()

	if err := j.reserve(); err != nil {
		return nil, err
	}
	defer j.discard()
	if err := j.prepare(ctx); err != nil {
		return nil, err
	}
	explained := j.explain(ctx)
	defer explained(false)
	if err := j.build(ctx); err != nil {
		return nil, err
	}
	j.reached("images pushed")
	if j.fresh() == nil {
		explained(true) // it took no longer than the build; the names are known now
	}
	uploaded := make(chan struct{})
	j.closing.Go(func() {
		defer close(uploaded)
		j.uploadInputs(ctx)
	})
	if err := j.callPushed(ctx); err != nil {
		return nil, err
	}
	published, err := j.publish(ctx)
	if err != nil {
		return nil, err
	}
	j.reached("tags moved")
	explained(true)
	j.Revision(published.Name)
	j.logRevision(published)
	j.closing.Go(func() {
		<-uploaded
		j.record(ctx, published.Snapshot)
	})
	j.closing.Go(func() { j.removeDead(ctx, published) })
	if err := j.define(ctx, published); err != nil {
		return nil, err
	}
	return &Release{
		Components: j.components, Before: j.before, Published: published,
		Started: j.started, job: j, running: j.running,
	}, nil
}

// newJob returns a job with the components of the plan.
func newJob(host *project.Host, aws *awsclient.Clients, o Options, p *project.Plan) *job {
	j := &job{Host: host, options: o, plan: p, cloud: aws, clients: aws.Registries(), started: time.Now()}
	j.logins = registry.NewLogins(j.clients, time.Now)
	j.files = inputs.NewFiles(p.Outputs)
	for _, c := range p.Components {
		j.components = append(j.components, &Component{Component: c})
	}
	return j
}

// prepare finds the repositories, their tags and what the components depend on, and
// refuses what the build could not do. Then, last of all and only if something will be
// built, the engine is found and missing repositories are created.
func (j *job) prepare(ctx context.Context) error {
	missing, err := j.find(ctx)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return j.readTags(gctx) })
	g.Go(func() error { return j.readPolicies(gctx) })
	if err := g.Wait(); err != nil {
		return err
	}
	j.reached("tags read")
	if len(j.changed()) > 0 {
		if err := j.checkOffers(); err != nil {
			return err
		}
		// Before anything is written: it may not be there, or not be able to.
		if j.found, err = j.engines(ctx); err != nil {
			return err
		}
		j.reached("engine found")
		if err := j.reuseFromEngine(ctx, stillThere(j.found)); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := j.createRepositories(ctx, missing); err != nil {
		return err
	}
	if j.before, err = j.snapshot(ctx); err != nil {
		return err
	}
	return j.readPolicies(ctx)
}

// readPolicies reads the lifecycle policies of the repositories that are there.
func (j *job) readPolicies(ctx context.Context) (err error) {
	if !j.options.NoLatest {
		j.policies, err = retention.Read(ctx, j.clients, j.repositories(), j.options.Retention)
	}
	return fault.As(fault.AWS, err)
}

// find finds the repositories, and at the same time what the components depend on.
func (j *job) find(ctx context.Context) (missing []registry.Ref, err error) {
	known := make(chan struct{})
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer close(known)
		missing, err = j.findRepositories(gctx)
		j.reached("repositories found")
		return err
	})
	g.Go(func() error {
		defer j.reached("inputs read")
		return j.readInputs(gctx, known)
	})
	g.Go(func() error {
		j.commit = revision.CommitOf(gctx, j.plan.Root, j.plan.Env.ResolvedSourceVersion)
		return gctx.Err()
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if j.hooks.Check != nil {
		return missing, j.hooks.Check(ctx)
	}
	return missing, nil
}

// readTags reads the tags, finds the images that are there already, and refuses tags
// that the build must not move.
func (j *job) readTags(ctx context.Context) error {
	before, err := j.snapshot(ctx)
	if err != nil {
		return err
	}
	if err := j.checkOthers(before); err != nil {
		return err
	}
	j.before, j.first = before, before
	j.reuse()
	j.dropAged(ctx)
	return j.checkExtra(ctx)
}

// repositories are those of the components that exist.
func (j *job) repositories() []registry.Repository {
	var out []registry.Repository
	for _, c := range j.components {
		if c.Repository.Name != "" {
			out = append(out, c.Repository)
		}
	}
	return out
}

// publish moves the tags to the images.
func (j *job) publish(ctx context.Context) (revisions.Published, error) {
	fresh := j.fresh()
	var images []revisions.RevisionImage
	for _, c := range j.components {
		image := c.Image(!j.options.NoLatest)
		image.Inputs = j.publishedInputs(c)
		if fresh == nil {
			image.Names = c.names
		}
		images = append(images, image)
	}
	published, err := revisions.Publish(ctx, j.clients, revisions.Publication{
		Variant: j.variant, Images: images, Running: j.running, Live: j.live,
		KeepLatest: j.options.NoLatest, KeepNames: j.plan.Untrusted.Yes(),
		Snapshot: fresh,
		Record:   j.revisionRecord(), Before: j.first, Yields: j.yields(ctx),
	})
	return published, fault.As(fault.AWS, err)
}

// fresh returns the tags as they were before the build, if no time has passed since in
// which something was built, or a hook was called.
func (j *job) fresh() *revisions.Snapshot {
	if len(j.changed()) > 0 || j.paused {
		return nil
	}
	return j.before
}

// reached reports how far the job came and when, for those who look for lost time.
func (j *job) reached(step string) {
	j.Debugf("%s after %d ms", step, time.Since(j.started).Milliseconds())
}

// job is one build.
type job struct {
	*project.Host
	options Options
	plan    *project.Plan
	hooks   Hooks
	cloud   *awsclient.Clients
	clients registry.Clients
	logins  *registry.Logins
	// planned limits the docker logins that engines get.
	planned *planned
	started time.Time
	// components are those of the plan, in its order.
	components []*Component
	// before are the tags before the build, and first those that were read first.
	before, first *revisions.Snapshot
	// inputs are those of all targets, by service, and images the references by digest
	// of those that were built or are there.
	inputs map[string]inputs.Result
	images map[string]string
	// pushed says for each target that is built where its image goes.
	pushed map[string]target.Push
	// files hashes local files, and platform is the one that the engine was taken for.
	files    *inputs.Files
	platform string
	// engine is the engine that built; empty where nothing was built.
	engine string
	// commit is that of the source; empty where there is none.
	commit revision.Commit
	// auth gives the logins for registries, once it was asked for.
	auth solve.AuthFunc
	// running are the running digests by repository, where ECS may be asked.
	running map[registry.Ref]string
	// live are the same by ECS service.
	live revisions.Live
	// found are the engines, until they are closed.
	found []*engine.Engine
	// closing are caches being written, engines being stopped, and inputs being recorded.
	closing sync.WaitGroup
	// caching is closed when the caches are written; nil where nothing is built.
	caching chan struct{}
	// policies are the lifecycle policies as they were read; none with --no-latest.
	policies []retention.State
	// paused reports that the hook Pushed was called.
	paused bool
	// pending are the definitions, by path.
	pending map[string]*artifact.Pending
}

func (j *job) variant(n int) string { return revision.Variant(j.plan.Hash.Name, n) }

// cacheTags are the tags of layer caches by repository.
func (j *job) cacheTags() map[registry.Ref][]string {
	out := map[registry.Ref][]string{}
	tags := j.options.cacheTagNames()
	for _, c := range j.components {
		if c.Repository.Name == "" {
			continue // not there yet
		}
		own := slices.Clone(tags)
		for _, b := range j.plan.Bases {
			if b.Ref == c.Ref && len(tags) > 0 {
				for _, p := range j.options.cachePlatforms() {
					own = append(own, registry.BaseCacheTag(p, b.Target.Service))
				}
			}
		}
		out[c.Repository.Ref] = own
	}
	return out
}

// checkOthers refuses a build if a component that is not built has no image that can
// stand for it.
func (j *job) checkOthers(before *revisions.Snapshot) error {
	for _, c := range j.components {
		if _, ok := before.ByTag(c.Repository.Ref, registry.TagLatest); !c.Build && !ok {
			return NotSelected(c.Target.Service, c.Ref.Name)
		}
	}
	return nil
}

// build reads, while the images are built, what must be known before a tag moves: the
// running digests.
func (j *job) build(ctx context.Context) error {
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() {
		if j.hooks.Running != nil && !j.options.NoLatest {
			j.running, j.live = j.hooks.Running(asking, j.components)
		}
	})
	err := j.resolveImages(ctx)
	if err != nil {
		cancel()
	}
	running.Wait()
	return err
}

// resolveImages finds the digest of each component that has none yet: by building; for
// components that are not built, that of latest.
func (j *job) resolveImages(ctx context.Context) error {
	defer j.takeTagged(registry.TagLatest)
	if len(j.changed()) == 0 {
		j.note(Reused, "nothing to build: every image is there already, built from the same inputs")
		return nil
	}
	results, err := j.buildAll(ctx)
	if err != nil {
		return err
	}
	for _, c := range j.components {
		if r, ok := results[c.Target.Service]; ok {
			c.Result, c.Digest = r, r.Digest
		}
	}
	return nil
}

// takeTagged gives the components that have no digest that of a tag.
func (j *job) takeTagged(tag string) {
	for _, c := range j.components {
		if c.Digest == "" {
			image, _ := j.before.ByTag(c.Repository.Ref, tag)
			c.Digest = image.Digest
		}
	}
}

// logRevision reports the revision's name, and other jobs at work.
func (j *job) logRevision(p revisions.Published) {
	if p.Name != j.plan.Hash.Name {
		j.Warnf("%s names other images already, and a revision never changes: this one is %s", j.plan.Hash.Name, p.Name)
	}
	if newer := p.Newer.Revision; newer != "" {
		j.warn(NewerRevision, "another job has made the revision %s of a later commit meanwhile: latest stays on it, and %s is not deployed", newer, p.Name)
	}
	if p.SupersededBy != "" {
		j.Warnf("another job published %s at the same time: latest points to it in every repository", p.SupersededBy)
	}
}
