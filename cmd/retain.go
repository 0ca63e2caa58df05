package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"slipway/build/solve"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
)

// retention is what becomes, or would become, of one repository's lifecycle policy.
type retention struct {
	registry.RetentionResult
	// clash is why the policy is left alone, if rules of others are in the way.
	clash error
	// losses are the images for which the policy is written only when a person has seen
	// them: `slipway retention --apply`.
	losses []revisions.ImageDetail
}

// readPolicies reads the lifecycle policies of repositories, in their order, and works out
// what they should be. Rules of others that clash are no error: the images are safe
// without ours, only kept longer or shorter.
func readPolicies(ctx context.Context, clients registry.Clients, repos []registry.Repository, o retentionOptions) ([]retention, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(retentionCalls)
	out := make([]retention, len(repos))
	for i, repo := range repos {
		g.Go(func() (err error) {
			out[i].RetentionResult, err = registry.ReadRetention(ctx, clients(repo.Region), repo, o.days, o.replace)
			var clash *lifecycle.ConflictError
			if errors.As(err, &clash) {
				out[i].clash, err = err, nil
			}
			return err
		})
	}
	return out, g.Wait()
}

// unmanaged are the repositories whose policy would change and is not Slipway's yet.
func unmanaged(policies []retention) []registry.Repository {
	var out []registry.Repository
	for _, p := range policies {
		if p.clash == nil && p.Outcome.Changed && !p.Managed {
			out = append(out, p.Repository)
		}
	}
	return out
}

// judge finds the losses of the policies. The listing is of the unmanaged repositories;
// protected are those whose running image is known to have a protecting tag.
func judge(ctx context.Context, clients registry.Clients, listing *revisions.Listing, policies []retention, protected map[registry.Ref]bool) error {
	var results []registry.RetentionResult
	for _, p := range policies {
		if p.clash == nil {
			results = append(results, p.RetentionResult)
		}
	}
	lost, err := listing.Losses(ctx, clients, results, revisions.Origin{Annotation: solve.InputsAnnotation, Protected: protected})
	for i := range policies {
		policies[i].losses = lost[policies[i].Repository.Ref]
	}
	return err
}

// retain writes the lifecycle policies that differ, last of all in a build that has
// succeeded: now the protecting tags are where they belong. A policy never fails a build
// that is complete: without it, images only stay longer, and the next build tries again.
func (j *job) retain(ctx context.Context, running map[registry.Ref]string) {
	if j.options.noLatest || !slices.ContainsFunc(j.policies, func(p retention) bool { return p.clash != nil || p.Outcome.Changed }) {
		return
	}
	if repos := unmanaged(j.policies); len(repos) > 0 {
		listing, err := revisions.List(ctx, j.clients, repos)
		if err == nil {
			err = judge(ctx, j.clients, listing, j.policies, known(running))
		}
		if err != nil {
			j.log.Warn().Msgf("the lifecycle policies were not written, so images do not expire: %v; `slipway retention --preview` shows the images that they would let expire", err)
			return
		}
	}
	for _, p := range j.policies {
		j.retainOne(ctx, p)
	}
}

// retainOne writes one policy, read once more since it was read before the build.
func (j *job) retainOne(ctx context.Context, p retention) {
	switch {
	case p.clash != nil:
		j.log.Warn().Msgf("the lifecycle policy was not changed: %v\n%s", p.clash, hintOf(p.clash))
		return
	case len(p.losses) > 0:
		j.log.Warn().Msgf("the lifecycle policy of %s was not written: %s would expire that no protecting tag keeps (%s); `slipway retention --apply` shows the images, asks and writes it",
			p.Repository.Name, plural(len(p.losses), "image"), newest(p.losses))
		return
	case !p.Outcome.Changed:
		return
	}
	done, err := registry.ApplyRetention(ctx, j.clients(p.Repository.Region), p.Repository, j.options.retention.days, j.options.retention.replace)
	switch {
	case err != nil:
		j.log.Warn().Msgf("the lifecycle policy was not written, so images do not expire: %v; `slipway retention` writes it", err)
	case done.Outcome.Changed:
		j.log.Info().Msgf("retention of %s set to %s", p.Repository.Name, plural(j.options.retention.days, "day"))
		tellDropped(j.world, p.Repository, done.Outcome)
	}
}

// known are the repositories of which ECS has said what it runs.
func known(running map[registry.Ref]string) map[registry.Ref]bool {
	out := map[registry.Ref]bool{}
	for ref, digest := range running {
		out[ref] = digest != ""
	}
	return out
}

// shownLosses is how many images are named of those that would expire.
const shownLosses = 3

// newest names the newest of the images, which come newest first.
func newest(images []revisions.ImageDetail) string {
	var names []string
	for _, i := range images[:min(len(images), shownLosses)] {
		name := shortDigest(i.Digest)
		if len(i.Tags) > 0 {
			name = strings.Join(i.Tags, ",")
		}
		names = append(names, name)
	}
	if len(names) == 1 {
		return names[0]
	}
	return "the newest: " + strings.Join(names, ", ")
}

// retentionInWords says of a build that is only planned when it writes policies.
func (o buildOptions) retentionInWords(p *plan) string {
	switch {
	case p.untrusted.yes():
		return "no lifecycle policy is written by an untrusted build"
	case o.noLatest:
		return "no lifecycle policy is written with --no-latest"
	}
	return fmt.Sprintf("%s, written when the tags have moved; if images that slipway did not push would expire, only by slipway retention --apply", plural(o.retention.days, "day"))
}
