package build

import (
	"context"
	"slices"

	"slipway/internal/phrase"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/retention"
)

// retain writes the lifecycle policies that differ, last of all in a build that has
// succeeded: now the protecting tags are where they belong. A policy never fails a build
// that is complete: without it, images only stay longer, and the next build tries again.
func (j *job) retain(ctx context.Context, running map[registry.Ref]string) {
	if j.options.NoLatest || !slices.ContainsFunc(j.policies, func(p retention.State) bool { return p.Clash != nil || p.Outcome.Changed }) {
		return
	}
	if repos := retention.Unmanaged(j.policies); len(repos) > 0 {
		listing, err := revisions.List(ctx, j.clients, repos)
		if err == nil {
			err = retention.FindLosses(ctx, j.clients, listing, j.policies, retention.Known(running))
		}
		if err != nil {
			j.warn(PolicyUnknown, "the lifecycle policies were not written, so images do not expire: %w", err)
			return
		}
	}
	for _, p := range j.policies {
		j.retainOne(ctx, p)
	}
}

// retainOne writes one policy, read once more since it was read before the build.
func (j *job) retainOne(ctx context.Context, p retention.State) {
	switch {
	case p.Clash != nil:
		j.WarnError(p.Clash, "the lifecycle policy was not changed: "+p.Clash.Error())
		return
	case len(p.Losses) > 0:
		j.warn(PolicyTakesImages, "the lifecycle policy of %s was not written: %s would expire that no protecting tag keeps (%s)",
			p.Repository.Name, phrase.Count(len(p.Losses), "image"), retention.Newest(p.Losses))
		return
	case !p.Outcome.Changed:
		return
	}
	done, err := registry.ApplyRetention(ctx, j.clients(p.Repository.Region), p.Repository, j.options.Retention.Days, j.options.Retention.Replace)
	switch {
	case err != nil:
		j.warn(PolicyNotWritten, "the lifecycle policy was not written, so images do not expire: %w", err)
	case done.Outcome.Changed:
		j.Infof("retention of %s set to %s", p.Repository.Name, phrase.Count(j.options.Retention.Days, "day"))
		retention.LogDropped(j.Host, p.Repository, done.Outcome)
	}
}
