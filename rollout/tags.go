package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/registry"
	"slipway/registry/migration"
	"slipway/registry/revisions"
	"slipway/rollout/follow"
)

// adopt takes over the tags that a build has moved. Building took its time, so the
// services are read again.
func (d *job) adopt(ctx context.Context) error {
	p := d.target.published
	if p == nil {
		return nil
	}
	if p.SupersededBy != "" {
		err := errors.New("nothing was deployed: another job has moved latest to " + p.SupersededBy)
		return &Error{Problem: SupersededBuild, Err: err, kind: fault.AWS}
	}
	d.revert = func(ctx context.Context, a revisions.RolloutResult) error { return d.revertAfter(ctx, *p, a) }
	d.snapshot, d.moved = p.Snapshot, p.Changes
	if err := d.services.Read(ctx, d.Host, d.aws); err != nil {
		return errors.Join(err, d.revertTags(ctx, revisions.RolloutResult{}))
	}
	return nil
}

// promote moves latest to the images and deployed to the running ones, all or
// nothing. Nothing is deployed if another job moved latest to another revision
// at the same time.
func (d *job) promote(ctx context.Context) error {
	if d.asked {
		// The answer took its time: others may have moved tags since.
		if err := d.refreshTags(ctx); err != nil {
			return err
		}
	}
	done, err := revisions.Promote(ctx, d.clients, revisions.Promotion{
		Snapshot: d.snapshot, Name: d.target.Name, Images: d.target.images,
		Running: d.services.Running(), Live: d.services.Live(), KeepLatest: d.options.KeepLatest,
	})
	if awsclient.Denied(err) {
		return &Error{Problem: TagsRefused, Err: err, kind: fault.AWS}
	}
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	for ref, digest := range done.Unprotected {
		d.Warnf("%s: the running image (%s) is archived, so no tag can protect it and new tasks cannot start: restore it with `aws ecr update-image-storage-class --target-storage-class STANDARD`", ref.Name, phrase.ShortDigest(digest))
	}
	if done.SupersededBy != "" {
		err := fmt.Errorf("nothing was deployed: another job moved latest to %s at the same time", done.SupersededBy)
		return &Error{Problem: Superseded, Err: err, kind: fault.AWS}
	}
	d.moved = done.Changes
	if slices.ContainsFunc(done.Changes, func(c revisions.Change) bool { return c.Tag == registry.TagLatest }) {
		d.Infof("latest points to %s in %s", d.target.Revision(), phrase.Repositories(len(d.target.images)))
	}
	d.revert = func(ctx context.Context, a revisions.RolloutResult) error { return d.revertAfter(ctx, done, a) }
	return nil
}

func (d *job) refreshTags(ctx context.Context) error {
	names := d.services.runningNames()
	for _, i := range d.target.images {
		names[i.Repository.Ref] = append(names[i.Repository.Ref], i.Digest, d.target.Name)
	}
	survey, err := revisions.ReadTags(ctx, d.clients, d.services.Repositories, nil, names)
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	d.snapshot = survey
	return nil
}

// revertAfter reverts latest and deployed after a deployment that failed, and logs it.
func (d *job) revertAfter(ctx context.Context, p revisions.Published, a revisions.RolloutResult) error {
	restored, err := revisions.Revert(ctx, d.clients, p, a)
	for _, k := range restored.NotReverted {
		at := k.Digest
		if at == "" {
			at = "nothing"
		}
		d.Warnf("%s:%s stays on %s: %s", k.Repository.Name, k.Tag, phrase.ShortDigest(at), k.Reason)
	}
	switch {
	case restored.SupersededBy != "":
		d.Warnf("another job has moved latest to %s: it was left there", restored.SupersededBy)
	case err == nil && len(restored.NotReverted) == 0 && len(restored.Changes) > 0:
		d.Infof("the tags are back where they were")
	}
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	return nil
}

// protectNew moves the tags of the ECS services to the images that they run now, after
// their deployments ended. Without that, latest and the earlier tags still protect the
// running images, so it fails no rollout that has succeeded.
func (d *job) protectNew(ctx context.Context, outcomes []follow.Outcome) {
	if d.options.NoLatest || d.snapshot == nil {
		return
	}
	live := revisions.Live{}
	for _, o := range outcomes {
		if o.Status != follow.Succeeded {
			continue
		}
		ref := o.Deployment.Service.Ref
		for container, repo := range d.reposOf(ref) {
			if want := o.Deployment.Wants[container]; len(want.Digests) > 0 {
				live.Set(repo.Ref, registry.LiveTag(ref.Cluster, ref.Service), want.Digests[0])
			}
		}
	}
	if _, err := revisions.Protect(ctx, d.clients, d.snapshot, live, d.moved); err != nil {
		d.Warnf("the tags that protect the running images could not be moved, and the next command tries again: %v", err)
		return
	}
	if _, err := migration.RemoveDeployed(ctx, d.clients, d.snapshot, d.services.Repositories); err != nil {
		d.Debugf("the tag %s of an earlier version was not removed: %v", registry.TagDeployed, err)
	}
}
