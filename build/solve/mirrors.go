package solve

import (
	"context"
	"slices"
	"time"

	"github.com/distribution/reference"
	spb "github.com/moby/buildkit/sourcepolicy/pb"

	"slipway/internal/mirror"
)

// mirrorTime is how long a mirror may take to answer for all images of a build. A
// pull-through cache fetches an image that it does not have.
const mirrorTime = time.Minute

// Unmirrored is an image that is pulled from its own registry, since the mirror
// does not give its copy.
type Unmirrored struct {
	Image, Copy string
	Err         error
}

// imageSource begins the names of images in BuildKit's source policies.
const imageSource = "docker-image://"

// findCopies has each engine look for the copies of the images that the targets
// pull, and makes it pull those that it finds in place of the images. A policy that
// rewrites names has no way back, so the others are left as they are.
func (r *run) findCopies(job context.Context, targets []Target) {
	if len(r.options.Mirrors) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(job, mirrorTime)
	defer cancel()
	images, copies := mirrored(ctx, r.options.Mirrors, targets)
	if len(images) == 0 {
		return
	}
	var lost []Unmirrored
	for i, w := range r.workers {
		each, err := Resolve(ctx, w.Client, copies, r.options.Login)
		if why := w.lost(ctx, err); err != nil && why != nil {
			r.lose(i, why)
			continue
		}
		var found []Base
		for k, b := range images {
			if e := firstError(err, each[k].Err); e == nil {
				found = append(found, b)
			} else if !slices.ContainsFunc(lost, func(u Unmirrored) bool { return u.Image == b.Image }) {
				lost = append(lost, Unmirrored{b.Image, copies[k].Image, e})
			}
		}
		r.workers[i].policy = copyPolicy(r.options.Mirrors, found)
	}
	if len(lost) > 0 && job.Err() == nil && r.options.Unmirrored != nil {
		r.options.Unmirrored(lost)
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// mirrored returns the images that have a mirror, and their copies. Images of
// Dockerfiles that cannot be read here are not known, and have none.
func mirrored(ctx context.Context, mirrors mirror.List, targets []Target) (images, copies []Base) {
	for _, t := range targets {
		// The build itself says what is wrong with a Dockerfile.
		bases, _ := Bases(ctx, t)
		for _, b := range bases {
			copied := Base{mirrors.Mirror(b.Image), b.Platform}
			if copied.Image != b.Image && !slices.Contains(images, b) {
				images, copies = append(images, b), append(copies, copied)
			}
		}
	}
	return images, copies
}

// copyPolicy makes an engine pull the copies of images, asked for by tag or by the
// digest to which a tag was resolved. It is nil without images.
func copyPolicy(mirrors mirror.List, images []Base) *spb.Policy {
	var out *spb.Policy
	for _, b := range images {
		named, err := reference.ParseNormalizedNamed(b.Image)
		if err != nil {
			continue // the engine refuses it
		}
		from, to := imageSource+reference.TagNameOnly(named).String(), imageSource+mirrors.Mirror(b.Image)
		if out == nil {
			out = &spb.Policy{Version: 1}
		}
		out.Rules = append(out.Rules, convert(from, to, spb.MatchType_EXACT))
		if _, pinned := named.(reference.Digested); !pinned {
			out.Rules = append(out.Rules, convert(from+"@*", to+"@${1}", spb.MatchType_WILDCARD))
		}
	}
	return out
}

func convert(from, to string, match spb.MatchType) *spb.Rule {
	return &spb.Rule{
		Action:   spb.PolicyAction_CONVERT,
		Selector: &spb.Selector{Identifier: from, MatchType: match},
		Updates:  &spb.Update{Identifier: to},
	}
}
