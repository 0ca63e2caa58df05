package build

import (
	"context"
	"errors"
	"fmt"

	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
)

// findRepositories finds the repositories of the components, and checks that tags can
// move in them. It returns those that the build will create.
func (j *job) findRepositories(ctx context.Context) (missing []registry.Ref, err error) {
	var refs []registry.Ref
	for _, c := range j.components {
		refs = append(refs, c.Ref)
	}
	found, missing, err := registry.Find(ctx, j.clients, refs)
	if err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	if err := j.checkMovable(found); err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	if len(missing) > 0 && !j.options.Create {
		return nil, fault.New(fault.AWS, &registry.MissingError{Refs: missing}, "run `slipway build --create-repositories` to create them")
	}
	j.setRepositories(found)
	return missing, j.distinct()
}

// createRepositories creates the missing repositories, when all that could refuse the
// build has been checked.
func (j *job) createRepositories(ctx context.Context, missing []registry.Ref) error {
	created, err := registry.Create(ctx, j.clients, missing, map[string]string{"slipway:project": j.plan.Project})
	for _, repo := range created {
		j.Infof("created repository %s", repo.URI)
	}
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	j.setRepositories(created)
	return j.distinct() // only AWS knows the account that a plain name is in
}

// setRepositories gives the components their repositories.
func (j *job) setRepositories(found map[registry.Ref]registry.Repository) {
	for _, c := range j.components {
		if repo, ok := found[c.Ref]; ok {
			c.Repository = repo
			j.logins.Register(repo.URI.RegistryStr(), repo.Region)
		}
	}
}

// distinct refuses two names of one repository, as a plain name and a full URI can be.
func (j *job) distinct() error {
	seen := map[registry.Ref]string{}
	for _, c := range j.components {
		ref := c.Repository.Ref
		if c.Repository.Name == "" {
			continue
		}
		if other, ok := seen[ref]; ok {
			return fault.NewInput("services."+c.Target.Service, fmt.Sprintf("resolves to the repository %s, like service %s", c.Repository.URI, other), "give one of them another with x-slipway.repository")
		}
		seen[ref] = c.Target.Service
	}
	return nil
}

// MovingTags are the tags that a build moves in each repository.
func (o Options) MovingTags(host *project.Host, p *project.Plan) []string {
	var tags []string
	if o.exportsCache(p) {
		tags = o.cacheTagNames(host)
	}
	if !o.NoLatest {
		tags = append([]string{registry.TagLatest, registry.TagDeployed}, tags...)
	}
	return tags
}

func (j *job) checkMovable(found map[registry.Ref]registry.Repository) error {
	tags := j.options.MovingTags(j.Host, j.plan)
	var errs []error
	for _, c := range j.components {
		if repo, ok := found[c.Ref]; ok {
			errs = append(errs, repo.CheckMovable(tags))
		}
	}
	return errors.Join(errs...)
}
