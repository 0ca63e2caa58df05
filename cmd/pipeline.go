package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/artifact"
	"slipway/build"
	"slipway/registry"
	"slipway/revision"
)

// runPipeline is the flow of `slipway build` behind the plan, once:
//
//	repositories ensured → revision looked for → images built and pushed by digest →
//	tags moved → definitions written and uploaded → result
//
// Nothing that another tool or a rollback can see changes before the tags move.
func runPipeline(ctx context.Context, w *world, o buildOptions, p *plan) error {
	started := time.Now()
	w.log.Info().Msgf("%s: %s to build as %s (%s)", p.project, plural(len(p.targets()), "service"), p.hash.Name, p.hash.Detail)
	cloud, err := openCloud(ctx, w.log, o.aws.region)
	if err != nil {
		return err
	}
	j := &job{world: w, options: o, plan: p, cloud: cloud, clients: cloud.clients()}
	j.logins = registry.NewLogins(j.clients, time.Now)
	defer j.closing.Wait()

	if err := j.ensureRepositories(ctx); err != nil {
		return refused(err)
	}
	survey, err := j.survey(ctx)
	if err != nil {
		return refused(err)
	}
	images, err := j.images(ctx, survey)
	if err != nil {
		return err
	}
	published, err := registry.Publish(ctx, j.clients, registry.Publication{Variant: j.variant, Images: images.placements, KeepLatest: o.noLatest})
	if err != nil {
		return refused(err)
	}
	j.tellRevision(published)
	if err := j.define(ctx, published.Name, images); err != nil {
		return err
	}
	return j.report(ctx, images, survey, published, time.Since(started))
}

// job is one run of the pipeline.
type job struct {
	*world
	options buildOptions
	plan    *plan
	cloud   *cloud
	clients registry.Clients
	logins  *registry.Logins
	// closing are engines being stopped.
	closing sync.WaitGroup
	// repos are the services' repositories as AWS described them, in the plan's order.
	repos []registry.Repository
}

func (j *job) variant(n int) string { return revision.Variant(j.plan.hash.Name, n) }

// survey sees to the retention of the repositories and looks where their tags stand, both
// at once.
func (j *job) survey(ctx context.Context) (survey *registry.Survey, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return j.ensureRetention(ctx) })
	g.Go(func() (err error) {
		survey, err = registry.Look(ctx, j.clients, j.repos, j.variant, nil)
		return err
	})
	return survey, g.Wait()
}

// ensureRepositories finds or creates every repository and checks that tags can move in
// them.
func (j *job) ensureRepositories(ctx context.Context) error {
	var refs []registry.Ref
	for _, s := range j.plan.services {
		refs = append(refs, s.repo)
	}
	found, missing, err := registry.Find(ctx, j.clients, refs)
	if err != nil {
		return err
	}
	if err := j.checkMovable(found); err != nil {
		return err
	}
	if len(missing) > 0 {
		if !j.options.create {
			return &registry.MissingError{Refs: missing}
		}
		created, err := registry.Create(ctx, j.clients, missing, map[string]string{"slipway:project": j.plan.project})
		for ref, repo := range created {
			found[ref] = repo
			j.log.Info().Msgf("created repository %s", repo.URI)
		}
		if err != nil {
			return err
		}
	}
	for _, s := range j.plan.services {
		repo := found[s.repo]
		j.repos = append(j.repos, repo)
		j.logins.Register(repo.URI.RegistryStr(), repo.Region)
	}
	return j.distinct()
}

// distinct refuses two names of one repository, as a plain name and a full URI can be.
func (j *job) distinct() error {
	seen := map[registry.Ref]string{}
	for i, repo := range j.repos {
		name := j.plan.services[i].target.Service
		if other, ok := seen[repo.Ref]; ok {
			return inputError("services."+name, fmt.Sprintf("resolves to the repository %s, like service %s", repo.URI, other), "give one of them another with x-slipway.repository")
		}
		seen[repo.Ref] = name
	}
	return nil
}

func (j *job) checkMovable(found map[registry.Ref]registry.Repository) error {
	tags := []string{registry.TagLatest, registry.TagDeployed}
	if j.options.cache != cacheNone && j.options.cache != cacheInline {
		tags = registry.Protected()
	}
	if j.options.noLatest {
		tags = slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return t != registry.TagCache })
	}
	var errs []error
	for _, s := range j.plan.services {
		if repo, ok := found[s.repo]; ok {
			errs = append(errs, repo.CheckMovable(tags))
		}
	}
	return errors.Join(errs...)
}

// ensureRetention writes the lifecycle policy where it differs. Rules of others that
// clash are a warning: the images are safe without ours, only kept longer or shorter.
func (j *job) ensureRetention(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(retentionCalls)
	results := make([]registry.RetentionResult, len(j.repos))
	clashes := make([]error, len(j.repos))
	for i, repo := range j.repos {
		g.Go(func() error {
			var err error
			results[i], err = registry.ApplyRetention(ctx, j.clients(repo.Region), repo, j.options.retention.days, j.options.retention.replace)
			var clash *registry.ConflictError
			if errors.As(err, &clash) {
				clashes[i] = err
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, r := range results {
		switch {
		case clashes[i] != nil:
			j.log.Warn().Msgf("retention left as it is: %v", clashes[i])
		case r.Outcome.Changed:
			j.log.Info().Msgf("retention of %s set to %s", j.repos[i].Name, plural(j.options.retention.days, "day"))
		}
	}
	return nil
}

// retentionCalls is how many policies are read or written at once.
const retentionCalls = 8

// images are the digests of a revision, one for each service of the plan.
type images struct {
	placements []registry.Placement
	results    map[string]build.Result
	// reused names the revision that was there already, if nothing had to be built.
	reused string
}

// images gets the revision's digests: from a revision that is there already, or by
// building; for services that are not to be built, from latest.
func (j *job) images(ctx context.Context, survey *registry.Survey) (*images, error) {
	if name := j.reusable(survey); name != "" {
		j.log.Info().Msgf("revision %s is complete and was built from the same settings: nothing to build (--rebuild builds it again)", name)
		return j.place(survey, func(s service) string { return name }, nil, name)
	}
	for i, s := range j.plan.services {
		if _, ok := survey.At(j.repos[i].Ref, registry.TagLatest); !s.build && !ok {
			return nil, inputError("services."+s.target.Service, fmt.Sprintf("is not among the services to build, and %s has no latest image that could stand for it in the revision", j.repos[i].Name), "build all services once: slipway build")
		}
	}
	results, err := j.buildAll(ctx)
	if err != nil {
		return nil, err
	}
	return j.place(survey, func(service) string { return registry.TagLatest }, results, "")
}

// place lists the digest of every service: a result's, or that of a tag.
func (j *job) place(survey *registry.Survey, tag func(service) string, results map[string]build.Result, reused string) (*images, error) {
	out := &images{results: results, reused: reused}
	for i, s := range j.plan.services {
		digest := results[s.target.Service].Digest
		if digest == "" {
			at, _ := survey.At(j.repos[i].Ref, tag(s))
			digest = at.Digest
		}
		placement := registry.Placement{Repository: j.repos[i], Digest: digest}
		if s.build {
			placement.Extra = s.extra
		}
		out.placements = append(out.placements, placement)
	}
	return out, nil
}

// reusable is a complete revision of the hash whose images were built from the same
// settings; empty when there is none or a new build is asked for.
func (j *job) reusable(survey *registry.Survey) string {
	if j.options.rebuild {
		return ""
	}
	for _, name := range survey.Complete() {
		same := true
		for i, s := range j.plan.services {
			at, _ := survey.At(j.repos[i].Ref, name)
			if s.build && at.Annotation(build.InputsAnnotation) != s.target.Inputs(j.plan.root) {
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
func (j *job) tellRevision(p registry.Published) {
	if p.Name != j.plan.hash.Name {
		j.log.Warn().Msgf("%s names other images already, and a revision never changes: this one is %s", j.plan.hash.Name, p.Name)
	}
	if p.OvertakenBy != "" {
		j.log.Warn().Msgf("another job published %s at the same time: latest stands on that everywhere", p.OvertakenBy)
	}
}

// define writes the definitions, last of all that the job leaves behind, and uploads them.
func (j *job) define(ctx context.Context, name string, images *images) error {
	if j.options.noLatest {
		return nil
	}
	uri := func(s service) string {
		i := slices.IndexFunc(j.plan.services, func(o service) bool { return o.target.Service == s.target.Service })
		return imageURI(images.placements[i], name, j.options.imageRef)
	}
	files := map[string][]byte{}
	for _, f := range j.plan.files {
		data, err := j.plan.definitions(f, uri)
		if err != nil {
			return err
		}
		files[f.path] = data
	}
	if j.plan.imageDetail != "" {
		data, err := artifact.ImageDetail(uri(j.plan.services[0]))
		if err != nil {
			return err
		}
		files[j.plan.imageDetail] = data
	}
	for _, path := range j.plan.own {
		written, err := artifact.WriteFile(path, files[path])
		if err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		verb := "wrote"
		if !written {
			verb = "left as it is:"
		}
		j.log.Info().Msgf("%s %s", verb, relative(j.dir, path))
	}
	return j.upload(ctx, files)
}

func imageURI(p registry.Placement, name, ref string) string {
	switch ref {
	case "digest":
		return p.Repository.URI.Name() + "@" + p.Digest
	case "latest":
		return p.Repository.URI.Name() + ":" + registry.TagLatest
	default:
		return p.Repository.URI.Name() + ":" + name
	}
}

// upload puts the definitions on S3 as one zip, where CodePipeline's S3 source finds it.
func (j *job) upload(ctx context.Context, files map[string][]byte) error {
	if j.options.artifact == "" {
		return nil
	}
	loc, err := artifact.ParseS3URL(j.options.artifact)
	if err != nil {
		return err
	}
	flat := map[string][]byte{}
	for path, data := range files {
		flat[filepath.Base(path)] = data
	}
	body, err := artifact.Zip(flat)
	if err != nil {
		return err
	}
	version, err := artifact.Upload(ctx, j.cloud.s3(), loc, body, "application/zip")
	if err != nil {
		return refused(err)
	}
	if version != "" {
		version = " (version " + version + ")"
	}
	j.log.Info().Msgf("uploaded %s%s", loc, version)
	return nil
}
