package build

import (
	"context"
	"slices"

	"slipway/registry"
	"slipway/registry/manifests"
	"slipway/registry/record"
	"slipway/registry/revisions"
)

// Overtaken reports whether another job has made a revision of a later commit since
// this one was published, and warns of it: that job deploys its own. It is false with
// Options.Force, and where the newest record cannot be read.
//
// Calls: one BatchGetImage.
func (r *Release) Overtaken(ctx context.Context) bool {
	j := r.job
	if r.Published.Newer.Revision != "" {
		return false
	}
	newest, overtaken := j.overtakenBy(ctx, r.Published.Name)
	if !overtaken {
		return false
	}
	j.warn(NewerRevision, "another job has made the revision %s of a later commit meanwhile: %s is not deployed", newest.Revision, r.Published.Name)
	return true
}

// overtakenBy returns the newest revision, and reports whether another job has made it of
// a later commit than the revision of a name.
func (j *job) overtakenBy(ctx context.Context, name string) (record.Record, bool) {
	yields := j.yields(ctx)
	if yields == nil {
		return record.Record{}, false
	}
	newest, ok, err := j.newestRecord(ctx)
	if err != nil {
		j.Debugf("the newest revision is not known: %v", err)
	}
	return newest, ok && newest.Revision != name && newest.Project == j.plan.Project && yields(newest)
}

// callPushed calls the hook Pushed, unless another job deploys a revision of a later
// commit: that this one is not deployed is reported when its tags move.
func (j *job) callPushed(ctx context.Context) error {
	if j.hooks.Pushed == nil {
		return nil
	}
	if newest, overtaken := j.overtakenBy(ctx, j.plan.Hash.Name); overtaken {
		j.Debugf("the revision %s is of a later commit: nothing runs before the tags move", newest.Revision)
		return nil
	}
	j.paused = true
	return j.hooks.Pushed(ctx, j.components, j.before)
}

// newestRecord reads the record that registry.TagNewest points to, in the first
// repository that lets this tag move.
func (j *job) newestRecord(ctx context.Context) (newest record.Record, ok bool, err error) {
	i := slices.IndexFunc(j.components, func(c *Component) bool {
		return c.Repository.CheckMovable([]string{registry.TagNewest}) == nil
	})
	if i < 0 {
		return newest, false, nil
	}
	repo := j.components[i].Repository
	found, err := manifests.Read(ctx, j.clients(repo.Region), repo, manifests.IDs([]string{registry.TagNewest}))
	if err != nil || len(found) == 0 {
		return newest, false, err
	}
	newest, _, err = record.Decode([]byte(manifests.New(found[0]).Manifest))
	named := registry.ValidateTag(newest.Revision) == nil && registry.IsRevisionName(newest.Revision) && !revisions.IsUntrusted(newest.Revision)
	return newest, err == nil && named, err
}
