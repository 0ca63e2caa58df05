package solve

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	gateway "github.com/moby/buildkit/frontend/gateway/pb"

	"slipway/build/target"
)

// Watch knows whether an engine is still there.
type Watch interface {
	// Gone is closed when the engine is lost.
	Gone() <-chan struct{}
	// Lost returns why the engine is lost, now that a request to it has failed; nil
	// if it is not.
	Lost(ctx context.Context, failure error) error
}

// LostError says that a target was not built since every engine that could build it was
// lost.
type LostError struct {
	// Addresses are those of the engines, and Errs what each said last.
	Addresses []string
	Errs      []error
}

// Error names each engine with its error.
func (e *LostError) Error() string {
	var each []string
	for i, address := range e.Addresses {
		each = append(each, address+": "+e.Errs[i].Error())
	}
	return "no engine of the pool is left: " + strings.Join(each, "; ")
}

// lostRequest is a request that failed because its engine was lost.
type lostRequest struct{ err error }

func (e *lostRequest) Error() string { return e.err.Error() }
func (e *lostRequest) Unwrap() error { return e.err }

// lost returns why the engine is lost, now that a request has failed; nil if it is not.
// A step that ran and failed says nothing about the engine.
func (w worker) lost(ctx context.Context, failure error) error {
	var exit *gateway.ExitError
	if w.Watch == nil || errors.As(failure, &exit) {
		return nil
	}
	return w.Watch.Lost(ctx, failure)
}

// whileThere returns a context that ends with the engine.
func (w worker) whileThere(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if w.Watch == nil {
		return ctx, cancel
	}
	go func() {
		select {
		case <-w.Watch.Gone():
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// pool says which engine builds which part of a target. An engine is named by the index of
// its worker, and a part by its key.
type pool struct {
	mu     sync.Mutex
	engine map[string]int
	parts  map[string]platformBuild
	pushed map[string]bool
	lost   map[int]error
}

func newPool() *pool {
	return &pool{engine: map[string]int{}, parts: map[string]platformBuild{}, pushed: map[string]bool{}, lost: map[int]error{}}
}

// pooled reports whether several engines build the same platform.
func pooled(engines []Engine) bool {
	seen := map[string]bool{}
	for _, e := range engines {
		if seen[e.Platform] {
			return true
		}
		seen[e.Platform] = true
	}
	return false
}

// preferred are the engines that can build a platform of a service, the one that it is
// built on first.
func (r *run) preferred(service, platform string) []int {
	byAddress := map[string]int{}
	var addresses []string
	for i, w := range r.workers {
		if w.Platform == platform {
			byAddress[w.Address] = i
			addresses = append(addresses, w.Address)
		}
	}
	if r.options.Order != nil {
		addresses = r.options.Order(service, platform, addresses)
	}
	var out []int
	for _, a := range addresses {
		out = append(out, byAddress[a])
	}
	return out
}

// assigned returns a part of a target with the engine that builds it, or that has built it.
func (r *run) assigned(t target.Target, platform string) platformBuild {
	p := platformBuild{worker{Engine: Engine{Platform: platform}}, t}
	r.pool.mu.Lock()
	defer r.pool.mu.Unlock()
	i, ok := r.pool.engine[p.key()]
	if !ok {
		i = r.preferred(t.Service, platform)[0]
		r.pool.engine[p.key()], r.pool.parts[p.key()] = i, p
	}
	p.worker = r.workers[i]
	return p
}

// on are the targets of which an engine builds a part.
func (r *run) on(engine int, targets []target.Target) []target.Target {
	return slices.DeleteFunc(slices.Clone(targets), func(t target.Target) bool {
		return !slices.ContainsFunc(r.platformBuilds(t), func(p platformBuild) bool { return p.index == engine })
	})
}

// onEngine does its part of a build on the engine that it is assigned to. If the engine is
// lost, the next one does it.
func (r *run) onEngine(ctx context.Context, p platformBuild, do func(platformBuild) (string, error)) (string, error) {
	for {
		digest, err := r.attempt(ctx, p, do)
		var lost *lostRequest
		if !errors.As(err, &lost) {
			return digest, err
		}
		r.lose(p.index, lost.err)
		left := r.left(p)
		if left < 0 {
			return "", &FailedError{Service: p.target.Service, Err: r.noneLeft(p)}
		}
		p.worker = r.workers[left]
	}
}

// attempt does something on one engine, as soon as that may build one more.
func (r *run) attempt(ctx context.Context, p platformBuild, do func(platformBuild) (string, error)) (string, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if err := r.whyLost(p.index); err != nil {
		return "", &lostRequest{err}
	}
	if !p.sources.covers(p.target) {
		src, err := openSources(ctx, p.dialer(), []target.Target{p.target}, r.options)
		if err != nil {
			return "", err
		}
		defer src.close()
		p.sources = src
	}
	digest, err := do(p)
	if err == nil {
		r.pool.mu.Lock()
		r.pool.pushed[p.key()] = true
		r.pool.mu.Unlock()
	}
	return digest, err
}

func (r *run) whyLost(engine int) error {
	r.pool.mu.Lock()
	defer r.pool.mu.Unlock()
	return r.pool.lost[engine]
}

// lose assigns what a lost engine was to build to the next one of each part, and reports
// that once.
func (r *run) lose(engine int, why error) {
	r.pool.mu.Lock()
	_, known := r.pool.lost[engine]
	if !known {
		r.pool.lost[engine] = why
	}
	var services []string
	for key, i := range r.pool.engine {
		next := r.firstLeft(r.pool.parts[key])
		if known || i != engine || r.pool.pushed[key] || next < 0 {
			continue
		}
		r.pool.engine[key] = next
		services = append(services, r.pool.parts[key].target.Service)
	}
	r.pool.mu.Unlock()
	if len(services) > 0 && r.options.Lost != nil {
		slices.Sort(services)
		r.options.Lost(r.workers[engine].Address, slices.Compact(services), why)
	}
}

// left is the first engine of a part that is not lost; negative if there is none.
func (r *run) left(p platformBuild) int {
	r.pool.mu.Lock()
	defer r.pool.mu.Unlock()
	next := r.firstLeft(p)
	if next >= 0 {
		r.pool.engine[p.key()] = next
	}
	return next
}

// firstLeft is left, under the lock.
func (r *run) firstLeft(p platformBuild) int {
	for _, i := range r.preferred(p.target.Service, p.Platform) {
		if _, lost := r.pool.lost[i]; !lost {
			return i
		}
	}
	return -1
}

// noneLeft is the error for a part whose engines are all lost.
func (r *run) noneLeft(p platformBuild) *LostError {
	r.pool.mu.Lock()
	defer r.pool.mu.Unlock()
	out := &LostError{}
	for _, i := range r.preferred(p.target.Service, p.Platform) {
		out.Addresses, out.Errs = append(out.Addresses, r.workers[i].Address), append(out.Errs, r.pool.lost[i])
	}
	return out
}
