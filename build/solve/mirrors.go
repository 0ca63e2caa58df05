package solve

import (
	"cmp"
	"context"
	"slices"
	"time"

	policy "github.com/moby/buildkit/sourcepolicy/pb"

	"slipway/build/target"
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

// findCopies has each engine look for the copies of the images that the targets
// pull, and makes it pull those that it finds in place of the images. A policy that
// rewrites names has no way back, so the others are left as they are.
func (r *run) findCopies(job context.Context, targets []target.Target) {
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
		var found []target.Base
		for k, b := range images {
			if e := firstError(err, each[k].Err); e == nil {
				found = append(found, b)
			} else if !slices.ContainsFunc(lost, func(u Unmirrored) bool { return u.Image == b.Image }) {
				lost = append(lost, Unmirrored{b.Image, copies[k].Image, e})
			}
		}
		r.workers[i].policy = target.CopyPolicy(r.options.Mirrors, found)
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
func mirrored(ctx context.Context, mirrors mirror.List, targets []target.Target) (images, copies []target.Base) {
	for _, t := range targets {
		// The build itself says what is wrong with a Dockerfile.
		bases, _ := target.Bases(ctx, t)
		for _, b := range bases {
			copied := target.Base{Image: mirrors.Mirror(b.Image), Platform: b.Platform}
			if copied.Image != b.Image && !slices.Contains(images, b) {
				images, copies = append(images, b), append(copies, copied)
			}
		}
	}
	return images, copies
}

// joined returns a policy with the rules of two: the first rule that fits a name
// rewrites it, and then all are tried on the new name (sourcepolicy, engine.go).
// Either may be nil.
func joined(first, second *policy.Policy) *policy.Policy {
	if first == nil || second == nil {
		return cmp.Or(first, second)
	}
	return &policy.Policy{Version: first.Version, Rules: slices.Concat(first.Rules, second.Rules)}
}
