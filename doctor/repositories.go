package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"slipway/build"
	"slipway/build/revision"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
	"slipway/retention"
	"slipway/rollout"
)

// foundRepositories are the project's, as AWS described them.
type foundRepositories struct {
	found   map[registry.Ref]registry.Repository
	missing []registry.Ref
}

// list are those that are there, in the plan's order, each once.
func (r foundRepositories) list(p *project.Plan) []registry.Repository {
	var out []registry.Repository
	for _, s := range p.Components {
		if repo, ok := r.found[s.Ref]; ok {
			out = append(out, repo)
		}
	}
	return out
}

func (d *doctor) clients() (registry.Clients, error) {
	c, err := d.cloud()
	if err != nil {
		return nil, err
	}
	return c.Registries(), nil
}

func (d *doctor) findRepositories(ctx context.Context) (foundRepositories, error) {
	clients, err := d.clients()
	if err != nil {
		return foundRepositories{}, err
	}
	var refs []registry.Ref
	for _, s := range d.plan.Components {
		refs = append(refs, s.Ref)
	}
	found, missing, err := registry.Find(ctx, clients, refs)
	return foundRepositories{found, missing}, fault.As(fault.AWS, err)
}

func (d *doctor) checkRepositories(ctx context.Context) []Finding {
	repos, err := d.repositories()
	if err != nil {
		return []Finding{broken(err)}
	}
	var out []Finding
	if d.build.Create {
		out = append(out, d.checkMissing(ctx, repos.missing)...)
	}
	seen := map[registry.Ref]string{}
	for _, s := range d.plan.Components {
		repo, ok := repos.found[s.Ref]
		name := s.Target.Service
		switch other, twice := seen[repo.Ref]; {
		case !ok && d.build.Create:
			out = append(out, Fine("is missing, and build will create it").of(s.Ref.String()))
		case !ok:
			f := broken(fault.New(fault.AWS, errors.New("there is none"), "check the name and the region, or let build create it: --create-repositories"))
			out = append(out, f.of(s.Ref.String()))
		case twice:
			out = append(out, broken(fault.NewInput("services."+name, fmt.Sprintf("has the same repository as service %s", other), "give one of them another with x-slipway.repository")).of(repo.Name))
		default:
			seen[repo.Ref] = name
			out = append(out, Fine("%s", repo.URI.Name()).of(repo.Name))
		}
	}
	return out
}

// checkMissing finds two names of one repository that build would create.
func (d *doctor) checkMissing(ctx context.Context, missing []registry.Ref) []Finding {
	c, err := d.cloud()
	if err == nil {
		err = build.CheckMissing(ctx, c, d.plan, missing)
	}
	if err != nil {
		return []Finding{broken(err)}
	}
	return nil
}

// checkTags reports which tags can move. The hash is new, or build gives it
// another name, so that it can be added whatever the setting.
func (d *doctor) checkTags(ctx context.Context) []Finding {
	repos, err := d.repositories()
	if err != nil {
		return []Finding{broken(err)}
	}
	out := append(d.checkExtra(ctx, repos), d.checkManyTags(ctx, repos)...)
	tags := d.build.MovingTags(d.plan)
	for _, s := range d.plan.Components {
		repo, ok := repos.found[s.Ref]
		if !ok {
			continue
		}
		var stuck *registry.ImmovableError
		switch {
		case errors.As(repo.CheckMovable(tags), &stuck):
			out = append(out, immovable(stuck).of(repo.Name))
		case errors.As(repo.CheckMovable(s.ExtraTags), &stuck):
			// They are put once without a fault; a later build fails.
			out = append(out, immovable(stuck).Softened().of(repo.Name))
		case len(tags) == 0:
			out = append(out, Fine("the hash can be put").of(repo.Name))
		default:
			out = append(out, Fine("%s can move, the hash can be put", strings.Join(tags, ", ")).of(repo.Name))
		}
	}
	return out
}

// checkManyTags finds images of latest that have nearly as many tags as ECR allows. A
// build that moves no tag has no permission to ask.
func (d *doctor) checkManyTags(ctx context.Context, found foundRepositories) []Finding {
	clients, err := d.clients()
	if err != nil || d.build.NoLatest {
		return nil
	}
	var out []Finding
	for _, repo := range found.list(d.plan) {
		n, err := revisions.CountTags(ctx, clients, repo, registry.TagLatest)
		if err == nil && n > revisions.ManyTags {
			out = append(out, Warned("remove tags that others put on it: `aws ecr batch-delete-image`",
				"the image of latest has %d tags, and ECR allows %d: later builds will fail", n, revisions.MaxTags).of(repo.Name))
		}
	}
	return out
}

// checkExtra finds tags of the compose file that a build would refuse to move.
func (d *doctor) checkExtra(ctx context.Context, found foundRepositories) []Finding {
	clients, err := d.clients()
	if err != nil {
		return []Finding{broken(err)}
	}
	var repos []registry.Repository
	for _, s := range d.plan.Components {
		repos = append(repos, found.found[s.Ref])
	}
	faults, err := build.ExtraFaults(ctx, clients, d.plan, repos, nil, revisions.ExtraTags{Kept: d.build.NoLatest})
	if err != nil {
		return []Finding{broken(fault.As(fault.AWS, err))}
	}
	var out []Finding
	for _, fault := range faults {
		out = append(out, broken(fault))
	}
	return out
}

func immovable(e *registry.ImmovableError) Finding {
	f := broken(fault.As(fault.AWS, e))
	f.Detail = fmt.Sprintf("is %s: %s cannot move", e.Repository.Mutability, strings.Join(e.Tags, ", "))
	f.Remedy = e.Remedy()
	return f
}

// Read reads what build would make of the lifecycle policies, in the order of list.
func (d *doctor) readPolicies(ctx context.Context) ([]retention.State, error) {
	if d.build.NoLatest {
		return nil, nil // such a build neither reads nor writes them
	}
	if d.missing(needsRepositories) != "" {
		return nil, nil // whoever wants the policies cannot be checked either
	}
	clients, err := d.clients()
	if err != nil {
		return nil, err
	}
	found, err := d.repositories()
	if err != nil {
		return nil, err
	}
	out, err := retention.Read(ctx, clients, found.list(d.plan), d.build.Retention)
	if err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	return out, fault.As(fault.AWS, d.foresee(ctx, clients, found, out))
}

// foresee finds the images that the policies would let expire after a build. By
// then, previous-latest points to the running image, or to that of latest if it is not
// known, and latest to an image that does not exist yet.
func (d *doctor) foresee(ctx context.Context, clients registry.Clients, found foundRepositories, policies []retention.State) error {
	repos := retention.Unmanaged(policies)
	if len(repos) == 0 {
		return nil
	}
	listing, err := revisions.List(ctx, clients, repos)
	if err != nil {
		return err
	}
	running, err := d.running(ctx, found)
	if err != nil {
		return err
	}
	seen := map[registry.Ref][]string{}
	for ref, digest := range running {
		seen[ref] = []string{digest}
	}
	if err := listing.ReadIndexes(ctx, clients, seen); err != nil {
		return err
	}
	for _, repo := range repos {
		latest, _ := listing.Tagged(repo.Ref, registry.TagLatest)
		runs, ok := listing.Image(repo.Ref, running[repo.Ref])
		if !ok {
			runs = latest
		}
		if runs.Digest != "" {
			listing.Point(repo.Ref, registry.TagPrevious, runs.Digest)
		}
		listing.Point(repo.Ref, registry.TagLatest, "")
	}
	return retention.FindLosses(ctx, clients, listing, policies, retention.Known(running))
}

// running are the digests that ECS runs, as far as they can be read: build goes on without.
func (d *doctor) running(ctx context.Context, found foundRepositories) (map[registry.Ref]string, error) {
	if len(d.plan.ECS.Services) == 0 {
		return nil, nil
	}
	c, err := d.cloud()
	if err != nil {
		return nil, err
	}
	// checkECS says what is wrong with the services.
	out, _, _ := rollout.RunningImages(ctx, c, d.plan.ECS, func(service *project.ECSService, container string) (registry.Ref, bool) {
		for _, planned := range d.plan.Components {
			if planned.Runs(container) && planned.Ref == service.Containers[container] {
				return found.found[planned.Ref].Ref, true
			}
		}
		return registry.Ref{}, false
	})
	return out, nil
}

func (d *doctor) checkRetention(context.Context) []Finding {
	if d.build.NoLatest {
		return []Finding{Fine("build --no-latest neither reads nor writes lifecycle policies")}
	}
	policies, err := d.policies()
	if err != nil {
		return []Finding{broken(err)}
	}
	var out []Finding
	for _, r := range policies {
		out = append(out, policyFinding(r, d.build.Retention.Days).of(r.Repository.Name))
	}
	return out
}

// conflictOf returns the conflict in an error, without the repository's name.
func conflictOf(err error) error {
	var conflict *lifecycle.ConflictError
	if errors.As(err, &conflict) {
		return conflict
	}
	return err
}

// policyFinding returns a warning at most: build continues with the rules of
// others.
func policyFinding(r retention.State, days int) Finding {
	switch {
	case len(r.Losses) > 0:
		return Warned("slipway retention --apply shows them and writes the policy", "build will not write it: %s would expire that no protecting tag keeps (%s)", phrase.Count(len(r.Losses), "image"), retention.Newest(r.Losses))
	case r.Clash != nil:
		return warnedOf(r.Clash, "build would leave it alone: %v", conflictOf(r.Clash))
	case !r.Outcome.Changed:
		return Fine("slipway's rules are there: %s", phrase.Count(days, "day"))
	case r.Before == "":
		return Fine("has none yet, and build will write it when the tags have moved: %s", phrase.Count(days, "day"))
	case len(r.Outcome.Dropped) > 0:
		return Warned("leave --replace-policy out to keep them", "build will drop %s of others", phrase.Count(len(r.Outcome.Dropped), "rule"))
	default:
		return Fine("build will add slipway's rules when the tags have moved: %s", phrase.Count(days, "day"))
	}
}

// checkRevision asks where the hash and latest stand.
func (d *doctor) checkRevision(ctx context.Context) []Finding {
	clients, err := d.clients()
	if err != nil {
		return []Finding{broken(err)}
	}
	repos, err := d.repositories()
	if err != nil {
		return []Finding{broken(err)}
	}
	survey, err := revisions.ReadTags(ctx, clients, repos.list(d.plan), func(n int) string { return revision.Variant(d.plan.Hash.Name, n) }, nil)
	if err != nil {
		return []Finding{broken(fault.As(fault.AWS, err))}
	}
	name := d.plan.Hash.Name
	if d.hashErr != nil {
		name = "" // that of the plan stands in for it
	}
	var out []Finding
	for _, s := range d.plan.Components {
		repo, ok := repos.found[s.Ref]
		if _, latest := survey.ByTag(repo.Ref, registry.TagLatest); !s.Build && (!ok || !latest) {
			out = append(out, broken(build.NotSelected(s.Target.Service, "")).of(name))
		}
	}
	switch {
	case len(out) > 0:
	case d.hashErr != nil:
		out = append(out, Unchecked("", "the build has no name"))
	case len(repos.missing) == 0 && len(survey.Complete()) > 0:
		out = append(out, Fine("is complete already: there is nothing to build if it was built from the same settings").of(name))
	default:
		out = append(out, Fine("is not there yet").of(name))
	}
	return out
}
