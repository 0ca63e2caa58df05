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
	yields := j.yields(ctx)
	if yields == nil || r.Published.Newer.Revision != "" {
		return false
	}
	newest, ok, err := j.newestRecord(ctx)
	if err != nil {
		j.Debugf("the newest revision is not known: %v", err)
	}
	if !ok || newest.Revision == r.Published.Name || newest.Project != j.plan.Project || !yields(newest) {
		return false
	}
	j.warn(NewerRevision, "another job has made the revision %s of a later commit meanwhile: %s is not deployed", newest.Revision, r.Published.Name)
	return true
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
