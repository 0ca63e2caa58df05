package cmd

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/artifact"
	"slipway/build/engine"
	"slipway/build/revision"
	"slipway/build/solve"
	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/retention"
)

// runPipeline is the flow of `slipway build` behind the plan, once:
//
//	repositories ensured → revision looked for → engine found → images built and pushed by
//	digest → tags moved → definitions written and uploaded → result → retention seen to
//
// Nothing that another tool or a rollback can see changes before the tags move.
func runPipeline(ctx context.Context, w *cli, o buildOptions, p *project.Plan) error {
	started := time.Now()
	w.jobLog.about(p.Hash.Name)
	w.Infof("%s: %s to build as %s (%s)", p.Project, phrase.Count(len(p.Targets()), "service"), p.Hash.Name, p.Hash.Detail)
	if err := o.checkState(w, p); err != nil {
		return err
	}
	cloud, err := openAWS(ctx, w, o.aws)
	if err != nil {
		return err
	}
	j := &job{cli: w, options: o, plan: p, cloud: cloud, clients: cloud.Registries(), started: started}
	j.logUntrusted()
	j.logins = registry.NewLogins(j.clients, time.Now)
	defer j.closing.Wait()
	defer func() { j.closeEngines(ctx, j.found) }()

	if err := j.reserve(); err != nil {
		return err
	}
	defer j.discard()
	if err := j.ensureRepositories(ctx); err != nil {
		return err
	}
	j.reached("repositories found")
	if err := j.checkSite(ctx); err != nil {
		return err
	}
	survey, err := j.look(ctx)
	if err != nil {
		return err
	}
	j.reached("tags looked at")
	if j.reusable(survey) == "" {
		// Before anything is written: it may not be there, or not be able to.
		if j.found, err = j.engines(ctx); err != nil {
			return err
		}
		j.reached("engine found")
	}
	images, err := j.lookAndBuild(ctx, survey)
	if err != nil {
		return err
	}
	j.reached("images pushed")
	published, err := j.publish(ctx, images)
	if err != nil {
		return err
	}
	j.reached("tags moved")
	w.jobLog.about(published.Name)
	j.tellRevision(published)
	if err := j.define(ctx, published.Name, images); err != nil {
		return err
	}
	if err := j.report(ctx, images, survey, published); err != nil {
		return err
	}
	if err := j.rollOut(ctx, images, published); err != nil {
		return err
	}
	j.retain(ctx, images.running)
	return nil
}

// look reads where the tags are, and refuses those that the build must not move.
func (j *job) look(ctx context.Context) (*revisions.Snapshot, error) {
	survey, err := revisions.ReadTags(ctx, j.clients, j.repos, j.variant, j.cacheTags())
	if err != nil {
		return nil, refused(err)
	}
	if err := j.checkOthers(survey); err != nil {
		return nil, err
	}
	return survey, j.checkExtra(ctx, survey)
}

// publish moves the tags to the images.
func (j *job) publish(ctx context.Context, images *images) (revisions.Published, error) {
	published, err := revisions.Publish(ctx, j.clients, revisions.Publication{
		Variant: j.variant, Images: images.placements, Running: images.running,
		KeepLatest: j.options.noLatest, KeepNames: j.plan.Untrusted.Yes(),
	})
	return published, refused(err)
}

// reached tells those who look for lost time how far the job came and when.
func (j *job) reached(what string) {
	j.Debugf("%s after %d ms", what, time.Since(j.started).Milliseconds())
}

// job is one run of the pipeline.
type job struct {
	*cli
	options buildOptions
	plan    *project.Plan
	cloud   *awsclient.Clients
	clients registry.Clients
	logins  *registry.Logins
	// planned limits the docker logins that engines get.
	planned *planned
	started time.Time
	// found are the engines, until they are closed.
	found []*engine.Engine
	// closing are engines being stopped.
	closing sync.WaitGroup
	// repos are the services' repositories as AWS described them, in the plan's order.
	repos []registry.Repository
	// policies are the lifecycle policies as they were read, in the order of repos; none
	// with --no-latest.
	policies []retention.State
	// pending are the definitions, by path.
	pending map[string]*artifact.Pending
	// site is where the images are deployed, if they are.
	site *site
	// rows are the result.
	rows []builtService
}

func (j *job) variant(n int) string { return revision.Variant(j.plan.Hash.Name, n) }

// cacheTags asks the survey for the layer caches as well.
func (j *job) cacheTags() map[registry.Ref][]string {
	out := map[registry.Ref][]string{}
	tags := j.options.cacheTagNames(j.cli)
	for _, repo := range j.repos {
		out[repo.Ref] = tags
	}
	return out
}

// checkOthers makes sure that services which are not to be built have an image that can
// stand for them.
func (j *job) checkOthers(survey *revisions.Snapshot) error {
	for i, s := range j.plan.Components {
		if _, ok := survey.ByTag(j.repos[i].Ref, registry.TagLatest); !s.Build && !ok {
			return fault.NewInput("services."+s.Target.Service, fmt.Sprintf("is not among the services to build, and %s has no latest image that could stand for it in the revision", j.repos[i].Name), "build all services once: slipway build")
		}
	}
	return nil
}

// lookAndBuild reads, while the images are built, what must be known before a tag moves:
// what ECS runs, and that the lifecycle policies may be read.
func (j *job) lookAndBuild(ctx context.Context, survey *revisions.Snapshot) (out *images, err error) {
	var running map[registry.Ref]string
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if !j.options.noLatest {
			j.policies, err = retention.Read(ctx, j.clients, j.repos, j.options.retention)
		}
		return refused(err)
	})
	g.Go(func() (err error) {
		out, err = j.images(ctx, survey)
		return err
	})
	g.Go(func() error {
		running = j.running(ctx)
		return nil
	})
	err = g.Wait()
	if out != nil {
		out.running = running
	}
	return out, err
}

// images are the digests of a revision, one for each service of the plan.
type images struct {
	placements []revisions.RevisionImage
	results    map[string]solve.Result
	// reused names the revision that was there already, if nothing had to be built.
	reused string
	// running are the digests that ECS runs, where it may be asked.
	running map[registry.Ref]string
}

// images gets the revision's digests: from a revision that is there already, or by
// building; for services that are not to be built, from latest.
func (j *job) images(ctx context.Context, survey *revisions.Snapshot) (*images, error) {
	if name := j.reusable(survey); name != "" {
		j.Infof("revision %s is complete and was built from the same settings: nothing to build (--rebuild builds it again)", name)
		return &images{placements: j.place(survey, name, nil), reused: name}, nil
	}
	results, err := j.buildAll(ctx, survey)
	if err != nil {
		return nil, err
	}
	return &images{placements: j.place(survey, registry.TagLatest, results), results: results}, nil
}

// place lists the digest of every service: a result's, or what a tag stands on.
func (j *job) place(survey *revisions.Snapshot, tag string, results map[string]solve.Result) []revisions.RevisionImage {
	var out []revisions.RevisionImage
	for i, s := range j.plan.Components {
		digest := results[s.Target.Service].Digest
		if digest == "" {
			at, _ := survey.ByTag(j.repos[i].Ref, tag)
			digest = at.Digest
		}
		placement := revisions.RevisionImage{Repository: j.repos[i], Digest: digest}
		if s.Build && !j.options.noLatest {
			placement.Extra = s.ExtraTags
		}
		out = append(out, placement)
	}
	return out
}

// reusable is a complete revision of the hash whose images were built from the same
// settings; empty when there is none or a new build is asked for.
func (j *job) reusable(survey *revisions.Snapshot) string {
	if j.options.rebuild {
		return ""
	}
	platform := j.options.platform(j.cli)
	for _, name := range survey.Complete() {
		same := true
		for i, s := range j.plan.Components {
			at, _ := survey.ByTag(j.repos[i].Ref, name)
			if s.Build && at.Annotation(solve.InputsAnnotation) != s.Target.Inputs(j.plan.Root, platform) {
				same = false
			}
		}
		if same {
			return name
		}
	}
	return ""
}

// tellRevision says what the revision came to be called, and who else was at work.
func (j *job) tellRevision(p revisions.Published) {
	if p.Name != j.plan.Hash.Name {
		j.Warnf("%s names other images already, and a revision never changes: this one is %s", j.plan.Hash.Name, p.Name)
	}
	if p.SupersededBy != "" {
		j.Warnf("another job published %s at the same time: latest stands on that everywhere", p.SupersededBy)
	}
}
