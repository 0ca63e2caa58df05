package build

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/plain"
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
		return nil, &Error{Problem: NoRepository, Err: &registry.MissingError{Refs: missing}, kind: fault.AWS}
	}
	j.setRepositories(found)
	if err := j.distinct(); err != nil {
		return nil, err
	}
	return missing, CheckMissing(ctx, j.cloud, j.plan, missing)
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
	return j.distinct() // another job may have created one meanwhile
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

// CheckMissing refuses two names of one repository that is to be created: one
// without an account, and one with the caller's account and region. It asks STS
// for the account, once, and only if there are two names that may be the same.
// Errors: *fault.InputError for two names of one repository; *AliasError if the
// account is not known.
func CheckMissing(ctx context.Context, aws *awsclient.Clients, p *project.Plan, missing []registry.Ref) error {
	account := ""
	for i, c := range p.Components {
		for _, other := range p.Components[:i] {
			if c.Ref == other.Ref || !project.MayBeSame(c.Ref, other.Ref) ||
				!slices.Contains(missing, c.Ref) || !slices.Contains(missing, other.Ref) {
				continue
			}
			if account == "" {
				var err error
				if account, err = aws.Account(ctx); err != nil {
					return &AliasError{Service: c.Target.Service, Other: other.Target.Service, Err: err}
				}
			}
			if ref := c.Ref.In(account, aws.Config.Region); ref == other.Ref.In(account, aws.Config.Region) {
				return sameRepository(c.Target.Service, other.Target.Service, ref)
			}
		}
	}
	return nil
}

// AliasError says that two services may have the same repository, because the
// caller's account is not known.
type AliasError struct {
	Service, Other string
	// Err is why the account is not known.
	Err error
}

// Error names the two services.
func (e *AliasError) Error() string {
	return plain.Sprintf("services.%s: may have the same repository as service %s: %v", e.Service, e.Other, e.Err)
}

// Unwrap returns the cause.
func (e *AliasError) Unwrap() error { return e.Err }

// Kind returns fault.AWS.
func (e *AliasError) Kind() fault.Kind { return fault.AWS }

// Hint says how to do without the account.
func (e *AliasError) Hint() string {
	return "name both repositories with their account, or both without it"
}

// sameRepository refuses a service whose repository is another service's.
func sameRepository(service, other string, repository fmt.Stringer) error {
	problem := fmt.Sprintf("resolves to the repository %s, like service %s", repository, other)
	return fault.NewInput("services."+service, problem, "give one of them another with x-slipway.repository")
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
			return sameRepository(c.Target.Service, other, c.Repository.URI)
		}
		seen[ref] = c.Target.Service
	}
	return nil
}

// MovingTags are the tags that a build moves in each repository, but for the
// protecting ones: those can be removed and put again where no tag can move.
func (o Options) MovingTags(p *project.Plan) []string {
	var tags []string
	if o.exportsCache(p) {
		tags = o.cacheTagNames()
	}
	if !o.NoLatest {
		tags = append([]string{registry.TagLatest}, tags...)
	}
	return tags
}

func (j *job) checkMovable(found map[registry.Ref]registry.Repository) error {
	tags := j.options.MovingTags(j.plan)
	if j.options.Cache == project.CacheAuto {
		// Where the tag of the cache cannot move, no cache is written.
		tags = slices.DeleteFunc(tags, func(tag string) bool { return strings.HasPrefix(tag, registry.TagCache) })
	}
	var errs []error
	for _, c := range j.components {
		if repo, ok := found[c.Ref]; ok {
			errs = append(errs, repo.CheckMovable(tags))
		}
	}
	return errors.Join(errs...)
}
