package cmd

import (
	"context"
	"errors"
	"fmt"

	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
)

// ensureRepositories finds or creates every repository and checks that tags can move in
// them.
func (j *job) ensureRepositories(ctx context.Context) error {
	var refs []registry.Ref
	for _, s := range j.plan.Components {
		refs = append(refs, s.Ref)
	}
	found, missing, err := registry.Find(ctx, j.clients, refs)
	if err != nil {
		return refused(err)
	}
	if err := j.checkMovable(found); err != nil {
		return refused(err)
	}
	if len(missing) > 0 {
		if !j.options.create {
			return fault.New(fault.AWS, &registry.MissingError{Refs: missing}, "--create-repositories creates what is missing")
		}
		// Something will be built for certain: without an engine, nothing is created.
		if j.found, err = j.engines(ctx); err != nil {
			return err
		}
		created, err := registry.Create(ctx, j.clients, missing, map[string]string{"slipway:project": j.plan.Project})
		for ref, repo := range created {
			found[ref] = repo
			j.Infof("created repository %s", repo.URI)
		}
		if err != nil {
			return refused(err)
		}
	}
	for _, s := range j.plan.Components {
		repo := found[s.Ref]
		j.repos = append(j.repos, repo)
		j.logins.Register(repo.URI.RegistryStr(), repo.Region)
	}
	return j.distinct()
}

// distinct refuses two names of one repository, as a plain name and a full URI can be.
func (j *job) distinct() error {
	seen := map[registry.Ref]string{}
	for i, repo := range j.repos {
		name := j.plan.Components[i].Target.Service
		if other, ok := seen[repo.Ref]; ok {
			return fault.NewInput("services."+name, fmt.Sprintf("resolves to the repository %s, like service %s", repo.URI, other), "give one of them another with x-slipway.repository")
		}
		seen[repo.Ref] = name
	}
	return nil
}

// movingTags are the tags that a build moves in each repository.
func (o buildOptions) movingTags(w *cli, p *project.Plan) []string {
	var tags []string
	if o.exportsCache(p) {
		tags = o.cacheTagNames(w)
	}
	if !o.noLatest {
		tags = append([]string{registry.TagLatest, registry.TagDeployed}, tags...)
	}
	return tags
}

func (j *job) checkMovable(found map[registry.Ref]registry.Repository) error {
	tags := j.options.movingTags(j.cli, j.plan)
	var errs []error
	for _, s := range j.plan.Components {
		if repo, ok := found[s.Ref]; ok {
			errs = append(errs, repo.CheckMovable(tags))
		}
	}
	return errors.Join(errs...)
}
