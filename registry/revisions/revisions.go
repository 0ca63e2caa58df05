// Package revisions reads and moves the image tags that make a revision: the
// images of several ECR repositories that carry one name.
//
// [ReadTags] and [List] read the repositories, [Find] and [FindDigests] find a
// revision in them. [Publish] gives a new revision its tags, [Promote] moves
// latest to an existing one, and [Revert] moves the tags back after a failed
// rollout.
package revisions

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"slipway/registry"
	"slipway/registry/lifecycle"
)

// Revision is the images of several repositories that carry one name.
type Revision struct {
	// Name is the tag that they have in common.
	Name string
	// Images are those that carry it.
	Images map[registry.Ref]ImageDetail
	// Missing are the repositories without it.
	Missing []registry.Repository
	// Archived are the repositories whose image of it cannot be pulled.
	Archived []registry.Repository
	// Pushed is when the newest of the images was first pushed.
	Pushed time.Time
	// Made is when the revision was made: when its first record was pushed. Without
	// a record it is Pushed.
	Made time.Time
	// Recorded are the repositories with its record.
	Recorded []registry.Repository
	// Size is the size of the images together, in bytes; layers that they share
	// count each time.
	Size int64
	// Latest reports that latest points to every one of the images.
	Latest bool
	// Deployed reports that these images ran before latest moved: deployed
	// points to them, or, on those that the move left as they were, latest.
	Deployed bool
}

// Complete reports whether every repository has an image of the revision.
func (r Revision) Complete() bool { return len(r.Missing) == 0 }

// Ready reports whether the revision can be rolled back to as it is: it is
// complete, and none of its images is archived.
func (r Revision) Ready() bool { return r.Complete() && len(r.Archived) == 0 }

// Expiry returns when the first image of the revision goes, by the policies of
// its repositories. Expires and Archives come with a time, the earliest of the
// images. With Unknown, the time is the latest possible, zero where even that
// is not known.
func (r Revision) Expiry(policies map[registry.Ref]lifecycle.Policy) (time.Time, lifecycle.Disposition) {
	var earliest time.Time
	out, unknown := lifecycle.Stays, false
	for ref, image := range r.Images {
		at, verdict := image.Expiry(policies[ref])
		unknown = unknown || verdict == lifecycle.Unknown
		if !at.IsZero() && (earliest.IsZero() || at.Before(earliest)) {
			earliest, out = at, verdict
		}
	}
	if unknown {
		out = lifecycle.Unknown
	}
	return earliest, out
}

// Revisions lists the revisions, the newest first, and in order of name where
// they were made at the same time. Every tag names one that can
// (registry.IsRevisionName), but for those for which skip is true, such as the
// extra tags of a build; skip may be nil.
func (l *Listing) Revisions(skip func(registry.Ref, string) bool) []Revision {
	byName := map[string]*Revision{}
	for _, repo := range l.repos {
		for tag, digest := range l.tags[repo.Ref] {
			if !registry.IsRevisionName(tag) || skip != nil && skip(repo.Ref, tag) {
				continue
			}
			if byName[tag] == nil {
				byName[tag] = &Revision{Name: tag, Images: map[registry.Ref]ImageDetail{}}
			}
			byName[tag].Images[repo.Ref] = l.images[repo.Ref][digest]
		}
	}
	out := make([]Revision, 0, len(byName))
	for _, r := range byName {
		l.complete(r)
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Revision) int {
		return cmp.Or(b.Made.Compare(a.Made), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// complete works out what the images of a revision have in common.
func (l *Listing) complete(r *Revision) {
	for _, repo := range l.repos {
		image, ok := r.Images[repo.Ref]
		switch {
		case !ok:
			r.Missing = append(r.Missing, repo)
		case image.Archived:
			r.Archived = append(r.Archived, repo)
		}
		if at, ok := l.Record(repo.Ref, r.Name); ok {
			r.Recorded = append(r.Recorded, repo)
			if r.Made.IsZero() || at.Pushed.Before(r.Made) {
				r.Made = at.Pushed
			}
		}
	}
	var latest, deployed, both int
	for image := range maps.Values(r.Images) {
		r.Size += image.Size
		if image.Pushed.After(r.Pushed) {
			r.Pushed = image.Pushed
		}
		isLatest, isDeployed := slices.Contains(image.Tags, registry.TagLatest), slices.ContainsFunc(image.Tags, wasDeployed)
		latest += number(isLatest)
		deployed += number(isDeployed)
		both += number(isLatest && isDeployed)
	}
	if r.Made.IsZero() {
		r.Made = r.Pushed
	}
	all := len(r.Images)
	r.Latest = latest == all
	r.Deployed = deployed == all || !r.Latest && deployed > 0 && latest+deployed-both == all
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// wasDeployed reports whether a tag points to the image that ran before latest
// moved. TagDeployed is that of earlier versions.
func wasDeployed(tag string) bool { return tag == registry.TagPrevious || tag == registry.TagDeployed }

// Services returns the tags of ECS services that point to images of the
// revision, in order.
func (r Revision) Services() []string {
	var out []string
	for _, image := range r.Images {
		for _, tag := range image.Tags {
			if registry.IsServiceTag(tag) && !slices.Contains(out, tag) {
				out = append(out, tag)
			}
		}
	}
	slices.Sort(out)
	return out
}
