package status

import (
	"context"
	"slices"

	"slipway/internal/awsclient"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout"
)

// protect moves the protecting tags of services that something else has deployed to the
// images that they run, in repositories with revisions. What cannot be moved is said and
// fails nothing: the next build or rollout tries again.
//
// Calls: none where the tags are right; else one BatchGetImage for each such repository
// and one PutImage for each tag.
func (r *builder) protect(ctx context.Context, host *project.Host, aws *awsclient.Clients) {
	live, names := revisions.Live{}, map[registry.Ref][]string{}
	var repos []registry.Repository
	for _, repo := range r.services.Repositories {
		for tag, digest := range r.settled().Live()[repo.Ref] {
			if r.stale(repo.Ref, tag, digest) {
				image, _ := r.listing.Image(repo.Ref, digest) // an index for its manifest
				live.Set(repo.Ref, tag, digest)
				names[repo.Ref] = append(names[repo.Ref], image.Digest)
			}
		}
		if len(live[repo.Ref]) > 0 {
			repos = append(repos, repo)
			names[repo.Ref] = append(names[repo.Ref], live.Names(repo.Ref)...)
		}
	}
	if len(repos) == 0 {
		return
	}
	snapshot, err := revisions.ReadTags(ctx, aws.Registries(), repos, nil, names)
	if err == nil {
		_, err = revisions.Protect(ctx, aws.Registries(), snapshot, live, nil)
	}
	if err != nil {
		host.Infof("the lifecycle policy does not know all running images, since their tags could not be moved: %v", err)
	}
}

// settled returns the services without a deployment under way.
func (r *builder) settled() *rollout.Services {
	out := *r.services
	out.List = slices.DeleteFunc(slices.Clone(out.List), func(st *rollout.Service) bool { return st.State.UnderWay() != nil })
	return &out
}

// stale reports whether the tag of a service is to move to the image that runs.
func (r *builder) stale(ref registry.Ref, tag, digest string) bool {
	image, there := r.listing.Image(ref, digest)
	return there && r.listing.HasRevisions(ref) && !image.Archived && !slices.Contains(image.Tags, tag)
}
