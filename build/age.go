package build

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/revisions"
)

// dropAged has components built again whose images are older than
// x-slipway.build.max-age allows, without the layer cache: what their steps fetch from
// the network would come from it. An untrusted build leaves that to the trusted ones.
// Calls: one DescribeImages for each component that is there and has such an age.
func (j *job) dropAged(ctx context.Context) {
	if j.plan.Untrusted.Yes() {
		return
	}
	var g errgroup.Group
	g.SetLimit(registry.MaxCalls)
	for _, c := range j.components {
		most := cmp.Or(c.Target.Settings.MaxAge, j.plan.Settings.MaxAge)
		if !c.Unchanged || most == nil {
			continue
		}
		g.Go(func() error {
			if age, known := j.age(ctx, c); !known || age > *most {
				c.Unchanged, c.Digest, c.aged = false, "", true
			}
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	for _, c := range j.components {
		if c.aged {
			j.Infof("%s: built again, since its image is older than x-slipway.build.max-age", c.Target.Service)
		}
	}
}

// age is the time since an image was first pushed, and whether that is known.
func (j *job) age(ctx context.Context, c *Component) (age time.Duration, known bool) {
	names, err := revisions.NamesOf(ctx, j.clients, c.Repository, c.Digest)
	if err != nil || names.Pushed.IsZero() {
		j.Debugf("the age of %s is not known: %v", c.Target.Service, err)
		return 0, false
	}
	return j.before.At(c.Repository.Ref).Sub(names.Pushed), true
}

// aged reports whether a service is built again because of the age of its image.
func (j *job) aged(service string) bool {
	return slices.ContainsFunc(j.components, func(c *Component) bool { return c.aged && c.Target.Service == service })
}
