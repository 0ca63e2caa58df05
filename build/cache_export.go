package build

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// exportCaches writes the layer caches of the targets that were pushed, when no push is
// under way any more. The sessions are new ones: with those of the pushes, BuildKit would
// know each local directory again by its session, and key the cache by that instead of by
// the content.
func (r *run) exportCaches(ctx context.Context, targets []Target) error {
	exporting := slices.DeleteFunc(slices.Clone(targets), func(t Target) bool {
		_, cache := splitCache(t.SolveOpt(r.options.Push[t.Service], Sources{}))
		return cache == nil || r.done[t.Service].result.Err != nil
	})
	if len(exporting) == 0 {
		return nil
	}
	for i, w := range r.workers {
		src, err := openSources(ctx, w.dialer(), exporting, r.options.Own)
		if err != nil {
			return err
		}
		defer src.close()
		r.workers[i].sources = src
	}
	took, errs := make([]time.Duration, len(exporting)), make([]error, len(exporting))
	var wait sync.WaitGroup
	for i, t := range exporting {
		wait.Go(func() {
			r.slots <- struct{}{}
			defer func() { <-r.slots }()
			start := time.Now()
			for _, p := range r.parts(t) {
				errs[i] = errors.Join(errs[i], r.exportCache(ctx, p))
			}
			took[i] = time.Since(start)
		})
	}
	wait.Wait()
	// Only now: until here they read each other's results.
	for i, t := range exporting {
		res := &r.done[t.Service].result
		res.Duration += took[i]
		if errs[i] != nil {
			res.Digest, res.Err = "", errs[i]
		}
	}
	return nil
}

// exportCache writes the cache of what one engine built. A cache that may fail, as
// Slipway's own may, is no error.
func (r *run) exportCache(ctx context.Context, p part) error {
	images, err := r.links(ctx, p.target) // all there: the target itself was pushed
	if err != nil {
		return err
	}
	_, cache := splitCache(p.target.SolveOpt(r.options.Push[p.target.Service], Sources{Session: p.sources.ids, Images: images}))
	_, err = r.ask(ctx, p.worker, p.target, *cache)
	return err
}
