package solve

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"slipway/build/target"
)

// exportCaches writes the layer caches of the targets that were pushed, when no push is
// under way any more.
func (r *run) exportCaches(ctx context.Context, targets []target.Target) {
	exporting := slices.DeleteFunc(slices.Clone(targets), func(t target.Target) bool {
		_, cache := target.SplitCache(t.SolveOpt(r.options.Push[t.Service], target.Sources{}))
		return cache == nil || r.done[t.Service].result.Err != nil
	})
	// A job that was stopped, by a failure or by its user, keeps what was pushed.
	if len(exporting) == 0 || ctx.Err() != nil {
		return
	}
	took, errs := make([]time.Duration, len(exporting)), make([]error, len(exporting))
	var wait sync.WaitGroup
	for i, t := range exporting {
		wait.Go(func() {
			r.slots <- struct{}{}
			defer func() { <-r.slots }()
			start := time.Now()
			for _, p := range r.platformBuilds(t) {
				err := r.exportOnEngine(ctx, p)
				if t.ExportsPushCache() && err != nil && ctx.Err() == nil {
					r.caches.note(p, true, err)
					continue
				}
				errs[i] = errors.Join(errs[i], err)
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
}

// exportOnEngine writes the cache on the engine that built the part. If that is lost, another
// one would have to build the part again, which it does only for a cache of the compose file.
func (r *run) exportOnEngine(ctx context.Context, p platformBuild) error {
	export := func(p platformBuild) (string, error) { return "", r.exportCache(ctx, p) }
	if p.target.ExportsPushCache() {
		_, err := r.attempt(ctx, p, export)
		return err
	}
	_, err := r.onEngine(ctx, p, export)
	return err
}

// exportCache writes the cache of the part that one engine built. The engine may
// ignore the failure of a cache, as with Slipway's own: it is noted and not returned.
func (r *run) exportCache(ctx context.Context, p platformBuild) error {
	images, err := r.links(ctx, p.target) // all there: the target itself was pushed
	if err != nil {
		return err
	}
	_, cache := target.SplitCache(r.withLogins(ctx, p).SolveOpt(r.push(ctx, p), target.Sources{Session: p.sources.ids, Images: images}))
	if cache == nil {
		return nil // no credentials for it, which is noted
	}
	var watch cacheObserver
	p.seen, p.again = watch.see, true
	_, err = r.ask(ctx, p.worker, p.target, *cache)
	if watched := watch.notWritten(); watched != nil && p.target.ExportsPushCache() && err == nil {
		r.caches.note(p, true, watched)
	}
	return err
}

// onlyCacheExport leaves out the steps of a build that was shown before: all but those that
// write the cache.
func onlyCacheExport(s *client.SolveStatus) *client.SolveStatus {
	out := &client.SolveStatus{}
	kept := map[digest.Digest]bool{}
	for _, v := range s.Vertexes {
		if strings.HasPrefix(v.Name, cacheExportVertex) {
			out.Vertexes = append(out.Vertexes, v)
			kept[v.Digest] = true
		}
	}
	for _, v := range s.Statuses {
		if kept[v.Vertex] {
			out.Statuses = append(out.Statuses, v)
		}
	}
	return out
}
