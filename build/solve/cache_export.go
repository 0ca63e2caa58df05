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
	// A job that was stopped, by a failure or by its user, keeps what was pushed.
	if len(exporting) == 0 || ctx.Err() != nil {
		return nil
	}
	for i, w := range r.workers {
		src, err := openSources(ctx, w.dialer(), r.on(i, exporting), r.options)
		if err != nil {
			return r.noExport(exporting, err)
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
			for _, p := range r.platformBuilds(t) {
				err := r.exportOnEngine(ctx, p)
				if t.ownExports() && err != nil && ctx.Err() == nil {
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
	return nil
}

// noExport is the end of all exports, which is none of the builds where the caches are
// Slipway's own.
func (r *run) noExport(exporting []Target, err error) error {
	for _, t := range exporting {
		if !t.ownExports() {
			return err
		}
		for _, p := range r.platformBuilds(t) {
			r.caches.note(p, true, err)
		}
	}
	return nil
}

// exportOnEngine writes the cache on the engine that built the part. If that is lost, another
// one would have to build the part again, which it does only for a cache of the compose file.
func (r *run) exportOnEngine(ctx context.Context, p platformBuild) error {
	export := func(p platformBuild) (string, error) { return "", r.exportCache(ctx, p) }
	if p.target.ownExports() {
		_, err := r.attempt(ctx, p, export)
		return err
	}
	_, err := r.onEngine(ctx, p, export)
	return err
}

// exportCache writes the cache of what one engine built. A cache that the engine may
// ignore the failure of, as it may with Slipway's own, is no error, but noted.
func (r *run) exportCache(ctx context.Context, p platformBuild) error {
	images, err := r.links(ctx, p.target) // all there: the target itself was pushed
	if err != nil {
		return err
	}
	_, cache := splitCache(r.withLogins(ctx, p).SolveOpt(r.push(ctx, p), Sources{Session: p.sources.ids, Images: images}))
	if cache == nil {
		return nil // no credentials for it, which is noted
	}
	var watch cacheObserver
	p.seen, p.again = watch.see, true
	_, err = r.ask(ctx, p.worker, p.target, *cache)
	if watch.exporting != nil && p.target.ownExports() && err == nil {
		r.caches.note(p, true, watch.exporting)
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
