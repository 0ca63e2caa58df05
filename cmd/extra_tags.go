package cmd

import (
	"context"
	"errors"
	"strings"

	"slipway/build/revision"
	"slipway/build/solve"
	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/revisions"
)

// checkExtra refuses, before anything is built, tags of the compose file (build.tags) that
// exist and must not or cannot be moved.
func (j *job) checkExtra(ctx context.Context, survey *revisions.Snapshot) error {
	faults, err := extraFaults(ctx, j.clients, j.plan, j.repos, revisions.ExtraTags{Moves: j.reusable(survey) == "", Kept: j.options.noLatest})
	if err != nil {
		return refused(err)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	for _, s := range j.plan.services {
		if s.build && j.options.noLatest && len(s.extra) > 0 {
			j.log.Info().Msgf("%s: not tagged with --no-latest: %s", s.target.Service, strings.Join(s.extra, ", "))
		}
	}
	return nil
}

// extraFaults finds the tags that a build must not or cannot move. The repositories are in
// the order of the plan; like says what the build does with the tags.
func extraFaults(ctx context.Context, clients registry.Clients, p *plan, repos []registry.Repository, like revisions.ExtraTags) ([]error, error) {
	var extras []revisions.ExtraTags
	services := map[registry.Ref]string{}
	for i, s := range p.services {
		if repos[i].Name == "" {
			continue // not there yet
		}
		extras = append(extras, revisions.ExtraTags{Repository: repos[i], Tags: s.extra, Moves: like.Moves && s.build, Kept: like.Kept})
		services[repos[i].Ref] = s.target.Service
	}
	found, err := revisions.CheckExtra(ctx, clients, extras, variantsOf(p.hash.Name), solve.InputsAnnotation)
	var faults []error
	for _, f := range found {
		faults = append(faults, fault.NewInput("services."+services[f.Repository.Ref]+".build.tags", f.Error(), hintOf(f)))
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
