package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// Describe returns the names of the ECS services, for messages.
func (s *Services) Describe() string {
	var out []string
	for _, st := range s.List {
		out = append(out, st.Ref.String())
	}
	return strings.Join(out, ", ")
}

// runningNames asks a survey for the digests that run, so that deployed can be put on
// them.
func (d *Rollout) runningNames() map[registry.Ref][]string {
	out := map[registry.Ref][]string{}
	for ref, digest := range d.Services.Running() {
		out[ref] = append(out[ref], digest)
	}
	return out
}

// FindRevision finds the revision that a command names and checks that it is whole.
// Nothing is touched.
func (d *Rollout) FindRevision(ctx context.Context, text string) error {
	found, err := revisions.Find(ctx, d.Clients, d.Services.Repositories, text, d.runningNames(), d.Services.IsExtraTag)
	if err == nil && found.Name != text {
		d.Infof("%s is short for %s", text, found.Name)
	}
	return d.use(found, err)
}

// use wants a revision that was found.
func (d *Rollout) use(found revisions.Found, err error) error {
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	d.Name, d.snapshot, d.images = found.Name, found.Snapshot, found.Images
	d.wantImages()
	return nil
}

// maxHistory is how many deployments of a service are looked through for what ran before.
const maxHistory = 100

// FindPrevious finds what all services together ran before the present deployment: going
// back, the first state whose images are one revision, or, with one service, the first.
func (d *Rollout) FindPrevious(ctx context.Context) error {
	for _, st := range d.Services.List {
		if st.State.Controller != ecstypes.DeploymentControllerTypeEcs {
			return refuse(NoHistory, "ECS keeps no history of %s, which %s deploys: the previous images are not known", st.Ref, st.State.Controller)
		}
	}
	histories := make([]ecs.History, len(d.Services.List))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(MaxCalls)
	for i, st := range d.Services.List {
		g.Go(func() error {
			past, err := ecs.Successful(gctx, d.AWS.ECS(), st.Ref, maxHistory)
			histories[i] = ecs.HistoryOf(st.State, past, slices.Sorted(maps.Keys(st.Repositories))...)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fault.As(fault.AWS, err)
	}
	return d.findState(ctx, histories)
}

// findState goes back to the first state of all services together that is one revision,
// or, with one service, that has images still there.
func (d *Rollout) findState(ctx context.Context, histories []ecs.History) error {
	states := slices.Collect(ecs.Previous(histories))
	listing, err := revisions.List(ctx, d.Clients, d.Services.Repositories)
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	all := map[registry.Ref][]string{}
	for _, state := range states {
		digests, _ := d.Services.digests(state)
		for ref, digest := range digests {
			all[ref] = append(all[ref], digest)
		}
	}
	if err := listing.ReadIndexes(ctx, d.Clients, all); err != nil {
		return fault.As(fault.AWS, err)
	}
	known := listing.Revisions(d.Services.IsExtraTag)
	for _, state := range states {
		digests, whole := d.Services.digests(state)
		names := listing.Common(digests)
		i := slices.IndexFunc(known, func(r revisions.Revision) bool {
			return r.Complete() && !r.Untrusted() && slices.Contains(names, r.Name)
		})
		switch {
		case whole && i >= 0:
			return d.FindRevision(ctx, known[i].Name)
		case whole && len(d.Services.List) == 1 && len(digests) == len(d.Services.Repositories):
			found, err := revisions.FindDigests(ctx, d.Clients, d.Services.Repositories, digests, d.runningNames(), d.Services.IsExtraTag)
			return d.use(found, err)
		}
	}
	return refuse(NoHistory, "%s: no earlier successful deployment matches a single revision", d.Services.Describe())
}

// digests are a state's images by repository, as far as they are known. They are no whole
// where two containers had different images of one repository: that is half way through a
// roll-out.
func (s *Services) digests(state map[ecs.Ref]map[string]string) (digests map[registry.Ref]string, whole bool) {
	digests, whole = map[registry.Ref]string{}, true
	for _, st := range s.List {
		for container, repo := range st.Repositories {
			digest := state[st.Ref][container]
			if had, ok := digests[repo.Ref]; ok && digest != "" && had != digest {
				whole = false
			}
			if digest != "" {
				digests[repo.Ref] = digest
			}
		}
	}
	return digests, whole
}

// wantImages wants the revision's images of every container of the project.
func (d *Rollout) wantImages() {
	d.Desired = map[ecs.Ref]map[string]ecs.DesiredImage{}
	for _, st := range d.Services.List {
		d.Desired[st.Ref] = map[string]ecs.DesiredImage{}
		for container, repo := range st.Repositories {
			i := slices.IndexFunc(d.images, func(p revisions.RevisionImage) bool { return p.Repository.Ref == repo.Ref })
			if i < 0 {
				continue
			}
			image, _ := d.snapshot.ByDigest(repo.Ref, d.images[i].Digest)
			uri := repo.URI.Name() + "@" + image.Digest
			if d.Name != "" {
				uri = repo.URI.Name() + ":" + d.Name
			}
			d.Desired[st.Ref][container] = ecs.DesiredImage{Image: uri, Digests: revisions.Platforms(image)}
		}
	}
}

// promote moves latest to the images, deployed to what runs, all or nothing. Nothing is
// deployed where another job moved latest elsewhere at the same time.
func (d *Rollout) promote(ctx context.Context) error {
	if d.asked {
		// The answer took its time: others may have moved tags since.
		if err := d.refreshTags(ctx); err != nil {
			return err
		}
	}
	done, err := revisions.Promote(ctx, d.Clients, revisions.Promotion{Snapshot: d.snapshot, Name: d.Name, Images: d.images, Running: d.Services.Running()})
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	for ref, digest := range done.Unprotected {
		d.Warnf("%s: the running image (%s) is archived, so deployed cannot point to it and new tasks cannot start: restore it with `aws ecr update-image-storage-class --target-storage-class STANDARD`", ref.Name, phrase.ShortDigest(digest))
	}
	if done.SupersededBy != "" {
		return &Error{Problem: Superseded, Err: fmt.Errorf("nothing was deployed: another job moved latest to %s at the same time", done.SupersededBy), kind: fault.AWS}
	}
	if len(done.Changes) > 0 {
		d.Infof("latest points to %s in %s", d.RevisionName(), phrase.Repositories(len(d.images)))
	}
	d.Revert = func(ctx context.Context, a revisions.RolloutResult) error { return d.RevertAfter(ctx, done, a) }
	return nil
}

func (d *Rollout) refreshTags(ctx context.Context) error {
	names := d.runningNames()
	for _, i := range d.images {
		names[i.Repository.Ref] = append(names[i.Repository.Ref], i.Digest, d.Name)
	}
	survey, err := revisions.ReadTags(ctx, d.Clients, d.Services.Repositories, nil, names)
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	d.snapshot = survey
	return nil
}

// RevertAfter puts latest and deployed back after a deployment that failed, and tells.
func (d *Rollout) RevertAfter(ctx context.Context, p revisions.Published, a revisions.RolloutResult) error {
	restored, err := revisions.Revert(ctx, d.Clients, p, a)
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
		d.Infof("latest and deployed are back where they were")
	}
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	return nil
}
