package cmd

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

// names are the site's ECS services, for people.
func (s *site) names() string {
	var out []string
	for _, st := range s.stations {
		out = append(out, st.Ref.String())
	}
	return strings.Join(out, ", ")
}

// runningNames asks a survey for the digests that run, so that deployed can be put on
// them.
func (d *deployJob) runningNames() map[registry.Ref][]string {
	out := map[registry.Ref][]string{}
	for ref, digest := range d.site.running() {
		out[ref] = append(out[ref], digest)
	}
	return out
}

// findRevision finds the revision that a command names and checks that it is whole.
// Nothing is touched.
func (d *deployJob) findRevision(ctx context.Context, text string) error {
	found, err := revisions.Find(ctx, d.clients, d.site.repos, text, d.runningNames(), d.site.skip)
	if err == nil && found.Name != text {
		d.Infof("%s is short for %s", text, found.Name)
	}
	return d.take(found, err)
}

// take wants a revision that was found.
func (d *deployJob) take(found revisions.Found, err error) error {
	if err != nil {
		return refused(err)
	}
	d.name, d.survey, d.images = found.Name, found.Snapshot, found.Images
	d.wantImages()
	return nil
}

// maxHistory is how many deployments of a service are looked through for what ran before.
const maxHistory = 100

// findPrevious finds what all services together ran before the present deployment: going
// back, the first state whose images are one revision, or, with one service, the first.
func (d *deployJob) findPrevious(ctx context.Context) error {
	for _, st := range d.site.stations {
		if st.service.Controller != ecstypes.DeploymentControllerTypeEcs {
			return fault.New(fault.Usage, fmt.Errorf("ECS keeps no history of %s, which %s deploys: what ran before is not known", st.Ref, st.service.Controller), "slipway revisions lists what can be rolled back to; name one of them")
		}
	}
	histories := make([]ecs.History, len(d.site.stations))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(maxDeploys)
	for i, st := range d.site.stations {
		g.Go(func() error {
			past, err := ecs.Successful(gctx, d.cloud.ECS(), st.Ref, maxHistory)
			histories[i] = ecs.HistoryOf(st.service, past, slices.Sorted(maps.Keys(st.repos))...)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return refused(err)
	}
	return d.findState(ctx, histories)
}

// findState goes back to the first state of all services together that is one revision,
// or, with one service, that has images still there.
func (d *deployJob) findState(ctx context.Context, histories []ecs.History) error {
	states := slices.Collect(ecs.Previous(histories))
	listing, err := revisions.List(ctx, d.clients, d.site.repos)
	if err != nil {
		return refused(err)
	}
	all := map[registry.Ref][]string{}
	for _, state := range states {
		digests, _ := d.site.digests(state)
		for ref, digest := range digests {
			all[ref] = append(all[ref], digest)
		}
	}
	if err := listing.ReadIndexes(ctx, d.clients, all); err != nil {
		return refused(err)
	}
	known := listing.Revisions(d.site.skip)
	for _, state := range states {
		digests, whole := d.site.digests(state)
		names := listing.Common(digests)
		i := slices.IndexFunc(known, func(r revisions.Revision) bool {
			return r.Complete() && !r.Untrusted() && slices.Contains(names, r.Name)
		})
		switch {
		case whole && i >= 0:
			return d.findRevision(ctx, known[i].Name)
		case whole && len(d.site.stations) == 1 && len(digests) == len(d.site.repos):
			found, err := revisions.FindDigests(ctx, d.clients, d.site.repos, digests, d.runningNames(), d.site.skip)
			return d.take(found, err)
		}
	}
	return fault.New(fault.Usage, fmt.Errorf("%s: ECS knows of no successful deployment of other images before the present one that is one revision", d.site.names()), "slipway revisions lists what can be rolled back to; name one of them")
}

// digests are a state's images by repository, as far as they are known. They are no whole
// where two containers had different images of one repository: that is half way through a
// roll-out.
func (s *site) digests(state map[ecs.Ref]map[string]string) (digests map[registry.Ref]string, whole bool) {
	digests, whole = map[registry.Ref]string{}, true
	for _, st := range s.stations {
		for container, repo := range st.repos {
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
func (d *deployJob) wantImages() {
	d.wants = map[ecs.Ref]map[string]ecs.DesiredImage{}
	for _, st := range d.site.stations {
		d.wants[st.Ref] = map[string]ecs.DesiredImage{}
		for container, repo := range st.repos {
			i := slices.IndexFunc(d.images, func(p revisions.RevisionImage) bool { return p.Repository.Ref == repo.Ref })
			if i < 0 {
				continue
			}
			image, _ := d.survey.ByDigest(repo.Ref, d.images[i].Digest)
			uri := repo.URI.Name() + "@" + image.Digest
			if d.name != "" {
				uri = repo.URI.Name() + ":" + d.name
			}
			d.wants[st.Ref][container] = ecs.DesiredImage{Image: uri, Digests: revisions.Platforms(image)}
		}
	}
}

// promote moves latest to the images, deployed to what runs, all or nothing. Nothing is
// deployed where another job moved latest elsewhere at the same time.
func (d *deployJob) promote(ctx context.Context) error {
	if d.asked {
		// The answer took its time: others may have moved tags since.
		if err := d.lookAgain(ctx); err != nil {
			return err
		}
	}
	done, err := revisions.Promote(ctx, d.clients, revisions.Promotion{Snapshot: d.survey, Name: d.name, Images: d.images, Running: d.site.running()})
	if err != nil {
		return refused(err)
	}
	for ref, digest := range done.Unprotected {
		d.Warnf("%s: what runs (%s) is archived, so deployed cannot mark it: restore it, or new tasks of it cannot start", ref.Name, phrase.ShortDigest(digest))
	}
	if done.SupersededBy != "" {
		return fault.New(fault.AWS, fmt.Errorf("nothing was deployed: another job moved latest to %s at the same time", done.SupersededBy), "slipway status shows where things stand; then type the command again if it is still wanted")
	}
	if len(done.Changes) > 0 {
		d.Infof("latest stands on %s in %s", d.revision(), phrase.Repositories(len(d.images)))
	}
	d.restore = func(ctx context.Context, a revisions.RolloutResult) error { return d.back(ctx, done, a) }
	return nil
}

func (d *deployJob) lookAgain(ctx context.Context) error {
	names := d.runningNames()
	for _, i := range d.images {
		names[i.Repository.Ref] = append(names[i.Repository.Ref], i.Digest, d.name)
	}
	survey, err := revisions.ReadTags(ctx, d.clients, d.site.repos, nil, names)
	if err != nil {
		return refused(err)
	}
	d.survey = survey
	return nil
}

// back puts latest and deployed back after a deployment that failed, and tells.
func (d *deployJob) back(ctx context.Context, p revisions.Published, a revisions.RolloutResult) error {
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
		d.Infof("latest and deployed are back where they were")
	}
	if err != nil {
		return fault.New(fault.AWS, err, fault.HintOf(err))
	}
	return nil
}
