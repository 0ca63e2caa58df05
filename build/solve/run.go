package solve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/solver/errdefs"

	"slipway/build/target"
	"slipway/internal/mirror"
)

// RunOptions say how targets are built.
type RunOptions struct {
	// Jobs limits how many targets are built at once, on each engine of a pool; 0 means
	// all.
	Jobs int
	// FailFast stops the others when one fails.
	FailFast bool
	// Namespace keeps the steps of the builds, their cache mounts and the files that
	// they send apart from those of other builds on the same engines; empty shares them.
	Namespace string
	// Own are absolute paths of files that Slipway writes, kept out of contexts.
	Own []string
	// Sum returns the sha256 of a file in hex; nil sends the files' own times
	// (see localfs.Timed).
	Sum func(ctx context.Context, path string) (string, error)
	// Login gives registry credentials.
	Login AuthFunc
	// Secret is called with the value of each build secret before an engine may ask for
	// it; nil does nothing.
	Secret func(value string)
	// Push says for each service where its image goes.
	Push map[string]target.Push
	// Images are references, by digest, of the images of services that are not built
	// and that targets are linked to.
	Images map[string]string
	// CacheLogin returns the attributes that hold the credentials for a cache of Push
	// or of the compose file. It is called for each request; nil means that no cache
	// has any.
	CacheLogin func(ctx context.Context, c target.Cache) (map[string]string, error)
	// Mirrors have copies of images, which are pulled in place of them.
	Mirrors mirror.List
	// Unmirrored is called once, with the images whose copies are not there.
	Unmirrored func([]Unmirrored)
	// Retry is the pause before a push is tried again.
	Retry Backoff
	// Renew drops the login for the service's registry after a refusal; false means that
	// there is none to renew.
	Renew func(service string) bool
	// Order sorts the addresses of a pool for a service and a platform, which is empty
	// where the engines are named for none. The first engine that is not lost builds it.
	// Nil leaves them as they are.
	Order func(service, platform string, addresses []string) []string
	// Lost is called once for each engine that is lost, with the services that other
	// engines of its pool build in its place.
	Lost func(address string, services []string, why error)
	// Status receives each service's progress; it is called from several goroutines.
	Status func(service string, s *client.SolveStatus)
	// Built is called once with the results when all images are pushed and only caches of
	// Push are left to write, which fail no build; nil does nothing.
	Built func([]Result)
	// Retrying is called before a push is tried again.
	Retrying func(service string, attempt int, pause time.Duration, cause error)
}

// Result is the outcome of one target.
type Result struct {
	Service string
	// Digest is the pushed image's; empty when Err is set.
	Digest string
	// Duration is the time from the start of the solve to its end, retries included.
	Duration time.Duration
	// Err is *FailedError for a build that failed, ErrStopped for one that was not carried through.
	Err error
	// Cache are the failures of the caches of Push. They fail no build.
	Cache []CacheError
}

// ErrStopped marks a target that was not built because something else failed.
var ErrStopped = errors.New("not built")

// FailedError is a solve that failed.
type FailedError struct {
	Service string
	// Lines are the lines of the Dockerfile that failed, with their numbers; empty where
	// the failure has none.
	Lines string
	// Pushing reports that the image was built and its push failed.
	Pushing bool
	Err     error
}

// Error names the service and the cause.
func (e *FailedError) Error() string {
	doing := "building"
	if e.Pushing {
		doing = "pushing"
	}
	return fmt.Sprintf("%s %s: %s", doing, e.Service, strings.TrimPrefix(e.Err.Error(), "failed to solve: "))
}

// Unwrap returns the engine's error.
func (e *FailedError) Unwrap() error { return e.Err }

// Run builds and pushes all targets by digest, each as soon as the services it is linked
// to are there. Results stand in the order of the targets; one that fails does not keep
// the others from ending. The error is for what concerns no single target.
//
// Where there are several engines, each builds the platform it was named for, and what
// they pushed becomes one index (see CheckPlatforms). Those of the same platform are a pool,
// whose engines share the targets.
func Run(ctx context.Context, engines []Engine, targets []target.Target, o RunOptions) ([]Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := newRun(engines, targets, o)
	r.cancel = cancel
	for i, w := range r.workers {
		src, err := openSources(ctx, w.dialer(), r.on(i, targets), o)
		if err != nil {
			return nil, err
		}
		defer src.close()
		r.workers[i].sources = src
	}
	for _, t := range targets {
		r.done[t.Service] = &outcome{ready: make(chan struct{})}
	}
	r.findCopies(ctx, targets)
	var wait sync.WaitGroup
	for _, t := range targets {
		wait.Go(func() { r.build(ctx, t) })
	}
	wait.Wait()
	ownCache := func(t target.Target) bool { return !t.ExportsPushCache() }
	if o.Built != nil && !slices.ContainsFunc(targets, ownCache) {
		o.Built(r.results(targets))
	}
	r.exportCaches(ctx, targets)
	return r.results(targets), nil
}

// results are those of the targets, as they are by now.
func (r *run) results(targets []target.Target) []Result {
	out := make([]Result, len(targets))
	for i, t := range targets {
		out[i] = r.done[t.Service].result
		out[i].Cache = r.caches.errs[t.Service]
	}
	return out
}

// run is the state of one Run.
type run struct {
	options RunOptions
	workers []worker
	cancel  context.CancelCauseFunc
	slots   chan struct{}
	done    map[string]*outcome
	caches  cacheState
	pool    *pool
}

// newRun returns a run whose engines have no sources yet. Engines of a pool have limits
// of their own; otherwise one limit holds for all.
func newRun(engines []Engine, targets []target.Target, o RunOptions) *run {
	all, each := o.Jobs, 0
	if pooled(engines) {
		all, each = each, all
	}
	r := &run{options: o, slots: slots(all, len(targets)), done: map[string]*outcome{}, pool: newPool()}
	for i, e := range engines {
		r.workers = append(r.workers, worker{Engine: e, index: i, slots: slots(each, len(targets))})
	}
	return r
}

// outcome is a result that others can wait for.
type outcome struct {
	ready  chan struct{}
	result Result
}

func slots(jobs, n int) chan struct{} {
	if jobs <= 0 || jobs > n {
		jobs = n
	}
	return make(chan struct{}, jobs)
}

func (r *run) build(ctx context.Context, t target.Target) {
	out := r.done[t.Service]
	defer close(out.ready)
	out.result = r.result(ctx, t)
	var failed *FailedError
	if r.options.FailFast && errors.As(out.result.Err, &failed) {
		r.cancel(fmt.Errorf("%w: %s failed", ErrStopped, t.Service))
	}
}

func (r *run) result(ctx context.Context, t target.Target) Result {
	res := Result{Service: t.Service}
	images, err := r.links(ctx, t)
	if err != nil {
		res.Err = err
		return res
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		res.Err = context.Cause(ctx)
		return res
	}
	start := time.Now()
	begun := sync.OnceFunc(func() { start = time.Now() })
	res.Digest, res.Err = r.image(ctx, t, images, begun)
	res.Duration = time.Since(start)
	return res
}

// links waits for the services that the target needs and returns their images.
func (r *run) links(ctx context.Context, t target.Target) (map[string]string, error) {
	images := map[string]string{}
	for _, name := range t.Links() {
		if image, ok := r.options.Images[name]; ok {
			images[name] = image
			continue
		}
		other := r.done[name]
		select {
		case <-other.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if other.result.Err != nil {
			return nil, fmt.Errorf("%w: it needs %s", ErrStopped, name)
		}
		images[name] = r.options.Push[name].Repository + "@" + other.result.Digest
	}
	return images, nil
}

// ask sends the engine one request, with a session of its own, and returns the digest of
// the image, if there is one.
func (r *run) ask(ctx context.Context, w worker, t target.Target, opt client.SolveOpt) (string, error) {
	var err error
	if opt.Session, err = attachables(t, r.options.Login, r.options.Secret); err != nil {
		return "", err
	}
	opt.Session = append(opt.Session, filesync.NewFSSyncProvider(w.sources.named(t)))
	if opt.OCIStores, err = stores(t); err != nil {
		return "", err
	}
	opt.SourcePolicy = joined(opt.SourcePolicy, w.policy)
	watch := &observer{service: t.Service, next: w.watching(r.options.Status)}
	statuses := make(chan *client.SolveStatus)
	drained := make(chan struct{})
	go func() {
		// Not under ctx: the last statuses of a cancelled solve hold its error.
		defer close(drained)
		for s := range statuses {
			watch.see(s)
		}
	}()
	there, stop := w.whileThere(ctx)
	defer stop()
	resp, err := w.send(there, opt, statuses)
	<-drained
	if err == nil {
		return resp.ExporterResponse[exptypes.ExporterImageDigestKey], nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return "", cause
	}
	if why := w.lost(ctx, err); why != nil {
		return "", &lostRequest{why}
	}
	return "", &FailedError{Service: t.Service, Lines: sourceLines(err), Pushing: watch.exportFailed && w.Store == nil, Err: err}
}

// observer reads a solve's progress on its way to the display.
type observer struct {
	service      string
	next         func(string, *client.SolveStatus)
	exportFailed bool
}

// exportVertex is how BuildKit's image exporter names its vertex.
const exportVertex = "exporting to image"

func (w *observer) see(s *client.SolveStatus) {
	for _, v := range s.Vertexes {
		if v.Error != "" && v.Name == exportVertex {
			w.exportFailed = true
		}
	}
	if w.next != nil {
		w.next(w.service, s)
	}
}

// sourceLines prints the Dockerfile's lines that an error of BuildKit points at.
func sourceLines(err error) string {
	var b strings.Builder
	for _, s := range errdefs.Sources(err) {
		// A strings.Builder takes every write.
		_ = s.Print(&b)
	}
	return b.String()
}
