package build

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

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
	written := j.writePolicies(ctx)
	for i, p := range j.policies {
		j.logPolicy(p, written[i])
	}
}

// writtenPolicy is the result of a policy that was to be written.
type writtenPolicy struct {
	registry.RetentionResult
	err error
}

// writePolicies writes the policies that differ, all at once, each read once more
// since it was read before the build.
func (j *job) writePolicies(ctx context.Context) []writtenPolicy {
	out := make([]writtenPolicy, len(j.policies))
	var g errgroup.Group
	g.SetLimit(retention.MaxCalls)
	for i, p := range j.policies {
		if p.Clash != nil || len(p.Losses) > 0 || !p.Outcome.Changed {
			continue
		}
		g.Go(func() error {
			o := j.options.Retention
			out[i].RetentionResult, out[i].err = registry.ApplyRetention(ctx, j.clients(p.Repository.Region), p.Repository, o.Days, o.Replace)
			return nil
		})
	}
	_ = g.Wait() // the goroutines keep their errors in out
	return out
}

// logPolicy reports what became of a policy.
func (j *job) logPolicy(p retention.State, written writtenPolicy) {
	switch {
	case p.Clash != nil:
		j.WarnError(p.Clash, "the lifecycle policy was not changed: "+p.Clash.Error())
	case len(p.Losses) > 0:
		j.warn(PolicyTakesImages, "the lifecycle policy of %s was not written: %s would expire that no protecting tag keeps (%s)",
			p.Repository.Name, phrase.Count(len(p.Losses), "image"), retention.Newest(p.Losses))
	case written.err != nil:
		j.warn(PolicyNotWritten, "the lifecycle policy was not written, so images do not expire: %w", written.err)
	case written.Outcome.Changed:
		j.Infof("retention of %s set to %s", p.Repository.Name, phrase.Count(j.options.Retention.Days, "day"))
		retention.LogDropped(j.Host, p.Repository, written.Outcome)
	}
}
