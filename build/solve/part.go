package solve

import (
	"context"
	"errors"
	"slices"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	spb "github.com/moby/buildkit/sourcepolicy/pb"
	"golang.org/x/sync/errgroup"

	"slipway/build/target"
	"slipway/internal/fault"
)

// Engine is a BuildKit that builds targets.
type Engine struct {
	// Client talks to it.
	Client *client.Client
	// Session opens the connections of sessions; nil means through Client.
	Session session.Dialer
	// Address names it in messages, and to RunOptions.Order.
	Address string
	// Platform is the one that it builds, where several engines share the work. Those of
	// the same platform are a pool: if one is lost, another builds its targets.
	Platform string
	// Watch notices that an engine of a pool is lost; nil for one that no other engine
	// stands in for.
	Watch Watch
	// Store is where the images of an engine go that cannot push; nil where it can.
	Store ImageStore
}

func (e Engine) dialer() session.Dialer {
	if e.Session != nil {
		return e.Session
	}
	return e.Client.Dialer()
}

// worker is an engine with the sessions that serve it the sources.
type worker struct {
	Engine
	index   int // among the workers of the run
	sources *sources
	// slots has room for the parts that the engine builds at once.
	slots chan struct{}
	// policy rewrites the names of images that have copies; nil rewrites none.
	policy *spb.Policy
	// seen, if set, is called with a request's progress before the display is.
	seen func(*client.SolveStatus)
	// again reports that the display has shown the steps of the request already.
	again bool
}

// watching returns a function that calls seen, and then next.
func (w worker) watching(next func(string, *client.SolveStatus)) func(string, *client.SolveStatus) {
	if w.seen == nil {
		return next
	}
	return func(service string, s *client.SolveStatus) {
		w.seen(s)
		if w.again {
			s = onlyCacheExport(s)
		}
		if next != nil {
			next(service, s)
		}
	}
}

// CheckPlatforms refuses targets that none of the engines named by platform builds. The
// error is an *InputError.
func CheckPlatforms(targets []target.Target, engines []string) error {
	if len(engines) == 0 {
		return nil
	}
	for _, t := range targets {
		for _, p := range t.Platforms {
			if !slices.Contains(engines, p) {
				return &fault.InputError{Where: "services." + t.Service + ".build.platforms", Err: &PlatformError{p, engines}}
			}
		}
	}
	return nil
}

// PlatformError is a platform that no engine is named for.
type PlatformError struct {
	Platform string
	// Engines are the platforms that engines are named for.
	Engines []string
}

// Error names the platform.
func (e *PlatformError) Error() string { return "no engine is named for " + e.Platform }

// platformBuild is the part of a target that one engine builds.
type platformBuild struct {
	worker
	target target.Target
}

// platformBuilds shares the target's platforms out to the engines. A target that names none is
// built for the platform of the first.
func (r *run) platformBuilds(t target.Target) []platformBuild {
	if r.workers[0].Platform == "" {
		return []platformBuild{r.assigned(t, "")}
	}
	wanted := t.Platforms
	if len(wanted) == 0 {
		wanted = []string{r.workers[0].Platform}
	}
	var out []platformBuild
	for _, p := range wanted {
		if slices.ContainsFunc(r.workers, func(w worker) bool { return w.Platform == p }) {
			one := t
			one.Platforms = []string{p}
			out = append(out, r.assigned(one, p))
		}
	}
	return out
}

// image builds all parts of a target and makes them one image. It calls begun when the
// first engine begins.
func (r *run) image(ctx context.Context, t target.Target, images map[string]string, begun func()) (string, error) {
	parts := r.platformBuilds(t)
	digests := make([]string, len(parts))
	g, gctx := errgroup.WithContext(ctx)
	for i, p := range parts {
		g.Go(func() (err error) {
			digests[i], err = r.onEngine(gctx, p, func(p platformBuild) (string, error) {
				begun()
				return r.solveWithRetry(gctx, p, images)
			})
			return err
		})
	}
	if err := g.Wait(); err != nil || len(parts) == 1 {
		return digests[0], err
	}
	var digest string
	err := r.pushWithRetry(ctx, t.Service, func() (err error) {
		digest, err = r.pushIndex(ctx, t, digests)
		return err
	})
	return digest, err
}

// solveWithRetry tries a failed push again. The image is in the engine's cache, so
// that only the push is repeated.
func (r *run) solveWithRetry(ctx context.Context, p platformBuild, images map[string]string) (digest string, err error) {
	err = r.pushWithRetry(ctx, p.target.Service, func() (err error) {
		digest, err = r.solveWithCacheFallback(ctx, p, images)
		return err
	})
	return digest, err
}

// solve builds and pushes once.
func (r *run) solve(ctx context.Context, p platformBuild, images map[string]string) (string, error) {
	t := p.target
	push, _ := target.SplitCache(r.withLogins(ctx, p).SolveOpt(r.push(ctx, p), target.Sources{Session: p.sources.ids, Images: images}))
	if p.Store != nil {
		return r.solveIntoStore(ctx, p, push)
	}
	digest, err := r.ask(ctx, p.worker, t, push)
	if err == nil && digest == "" {
		err = &FailedError{Service: t.Service, Err: errors.New("the engine named no digest")}
	}
	return digest, err
}
