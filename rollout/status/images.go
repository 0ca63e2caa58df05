package status

import (
	"fmt"
	"slices"

	"slipway/internal/phrase"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/rollout"
	"slipway/rollout/ecs"
)

// orderNames sorts the revisions by the order in which they name an image that
// has several: first one to which all running images belong, then the one that
// latest points to, then the newest. Names of untrusted builds come last.
func (r *builder) orderNames() {
	var latest, rest, untrusted []string
	for _, rev := range r.listing.Revisions(r.services.IsExtraTag) {
		switch {
		case rev.Untrusted():
			untrusted = append(untrusted, rev.Name)
		case rev.Latest && rev.Complete():
			latest = append(latest, rev.Name)
		default:
			rest = append(rest, rev.Name)
		}
	}
	all := slices.Concat(latest, rest, untrusted)
	shared := r.listing.Common(r.services.Running())
	for _, name := range all {
		if slices.Contains(shared, name) {
			r.names = append(r.names, name)
		}
	}
	r.names = append(r.names, all...)
}

// namesOf are the revisions of an image, the likeliest first.
func (r *builder) namesOf(ref registry.Ref, digest string) []string {
	names := slices.DeleteFunc(r.listing.NamesOf(ref, digest), func(tag string) bool { return r.services.IsExtraTag(ref, tag) })
	slices.SortFunc(names, func(a, b string) int { return slices.Index(r.names, a) - slices.Index(r.names, b) })
	return append([]string{}, names...)
}

// image finds a running image in its repository, and warns if tags and tasks
// disagree.
func (r *builder) image(st *rollout.Service, c ecs.Container, repo registry.Repository, i *Image) {
	found, ok := r.listing.Image(repo.Ref, i.Digest)
	if !ok {
		i.Gone = true
		r.problem(rollout.Gone, "", "%s: container %s runs %s, which is no longer in %s: no new task of it can start", st.Ref, c.Name, phrase.ShortDigest(i.Digest), repo.Name)
		return
	}
	i.Revisions = r.namesOf(repo.Ref, i.Digest)
	i.Latest, i.Deployed = slices.Contains(found.Tags, registry.TagLatest), slices.Contains(found.Tags, registry.TagPrevious) || slices.Contains(found.Tags, registry.TagDeployed)
	at, fate := found.Expiry(r.policies[repo.Ref])
	i.Fate = fate
	if !at.IsZero() {
		i.Expires = &at
	}
	name := phrase.ShortDigest(i.Digest)
	if len(i.Revisions) > 0 {
		name = i.Revisions[0]
	}
	if !i.Latest && st.State.UnderWay() == nil && !r.otherRunsLatest(st, repo) {
		r.problem(rollout.NotLatest, name, "%s: container %s runs %s, but latest of %s is %s", st.Ref, c.Name, name, repo.Name, r.latest(repo))
	}
	if fate == lifecycle.Expires || fate == lifecycle.Archives {
		r.problem(rollout.Expiring, name, "%s: the image of container %s (%s) is gone from %s %s", st.Ref, c.Name, name, repo.Name, ExpiryText(fate, i.Expires, r.listing.At))
	}
}

// latest returns the name of the revision that latest points to, for people.
func (r *builder) latest(repo registry.Repository) string {
	image, ok := r.listing.Tagged(repo.Ref, registry.TagLatest)
	if !ok {
		return "nowhere"
	}
	names := r.namesOf(repo.Ref, image.Digest)
	if len(names) == 0 {
		return phrase.ShortDigest(image.Digest)
	}
	return names[0]
}

// otherRunsLatest reports whether the image of latest is that of another ECS service:
// then this one is an environment of its own.
func (r *builder) otherRunsLatest(st *rollout.Service, repo registry.Repository) bool {
	image, _ := r.listing.Tagged(repo.Ref, registry.TagLatest)
	own := registry.LiveTag(st.Ref.Cluster, st.Ref.Service)
	return slices.ContainsFunc(image.Tags, func(tag string) bool { return registry.IsLiveTag(tag) && tag != own })
}

// problem adds a warning with its hint.
func (r *builder) problem(p rollout.Problem, revision, format string, args ...any) {
	r.warnOf(&rollout.Error{Problem: p, Services: r.services.Named(), Revision: revision, Err: fmt.Errorf(format, args...)})
}

func (r *builder) warnOf(err error) { r.warn("%v: %s", err, r.texts.Hint(err)) }

func (r *builder) warn(format string, args ...any) {
	r.report.Warnings = append(r.report.Warnings, fmt.Sprintf(format, args...))
}
