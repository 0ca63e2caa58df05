package build

import (
	"context"
	"errors"
	"strings"

	"slipway/build/revision"
	"slipway/build/target"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
)

// checkExtra refuses, before anything is built, tags of the compose file (build.tags) that
// exist and must not or cannot be moved.
func (j *job) checkExtra(ctx context.Context) error {
	digests := map[string]string{}
	for _, c := range j.components {
		digests[c.Target.Service] = c.Digest
	}
	faults, err := ExtraFaults(ctx, j.clients, j.plan, j.allRepositories(), digests, revisions.ExtraTags{Moves: true, Kept: j.options.NoLatest})
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	for _, s := range j.plan.Components {
		if s.Build && j.options.NoLatest && len(s.ExtraTags) > 0 {
			j.Infof("%s: not tagged, because no tag moves: %s", s.Target.Service, strings.Join(s.ExtraTags, ", "))
		}
	}
	return nil
}

// allRepositories are the components' repositories in the plan's order; those that do not
// exist yet are zero.
func (j *job) allRepositories() []registry.Repository {
	var out []registry.Repository
	for _, c := range j.components {
		out = append(out, c.Repository)
	}
	return out
}

// ExtraFaults finds the tags that a build must not or cannot move. The repositories are in
// the order of the plan; digests are the images by service that are known already; like says what the build does with the tags.
func ExtraFaults(ctx context.Context, clients registry.Clients, p *project.Plan, repos []registry.Repository, digests map[string]string, like revisions.ExtraTags) ([]error, error) {
	var extras []revisions.ExtraTags
	services := map[registry.Ref]string{}
	for i, s := range p.Components {
		if repos[i].Name == "" {
			continue // not there yet
		}
		extras = append(extras, revisions.ExtraTags{Repository: repos[i], Tags: s.ExtraTags, Digest: digests[s.Target.Service], Moves: like.Moves && s.Build, Kept: like.Kept})
		services[repos[i].Ref] = s.Target.Service
	}
	found, err := revisions.CheckExtra(ctx, clients, extras, variantsOf(p.Hash.Name), target.InputsAnnotation)
	var faults []error
	for _, f := range found {
		faults = append(faults, &fault.InputError{Where: "services." + services[f.Repository.Ref] + ".build.tags", Err: f})
	}
	return faults, err
}

// variantsOf are the names that a build of a hash gets as a rule. A survey reads more.
func variantsOf(hash string) []string {
	const most = 9
	var out []string
	for n := 1; n <= most; n++ {
		out = append(out, revision.Variant(hash, n))
	}
	return out
}
