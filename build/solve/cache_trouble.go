package solve

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/pb"

	"slipway/build/target"
)

// CacheError is the failure of a layer cache of Slipway's own. It does not fail
// the build, which continues without the cache.
type CacheError struct {
	// Writing reports that the cache could not be written, and not that it could
	// not be read.
	Writing bool
	Err     error
}

// cacheState holds what was wrong with Slipway's own caches.
type cacheState struct {
	mu   sync.Mutex
	errs map[string][]CacheError // by service
	// spoiled are the parts whose builds only went without reading the cache.
	spoiled map[string]bool
	// noted are the parts that could not read it: a push that is tried again, and
	// the cache with it, is noted once.
	noted map[string]bool
}

func (b *cacheState) note(p platformBuild, writing bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.errs == nil {
		b.errs = map[string][]CacheError{}
	}
	b.errs[p.target.Service] = append(b.errs[p.target.Service], CacheError{writing, err})
}

func (p platformBuild) key() string { return p.target.Service + " " + p.Platform }

// firstFailure reports whether this is the first call for a part.
func (b *cacheState) firstFailure(p platformBuild) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.noted == nil {
		b.noted = map[string]bool{}
	}
	before := b.noted[p.key()]
	b.noted[p.key()] = true
	return !before
}

func (b *cacheState) disableImport(p platformBuild) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spoiled == nil {
		b.spoiled = map[string]bool{}
	}
	b.spoiled[p.key()] = true
}

func (b *cacheState) importDisabled(p platformBuild) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spoiled[p.key()]
}

// push says where a part's image goes, with the caches of its engine alone and the
// credentials of this moment. A cache without credentials is left out, which is noted.
func (r *run) push(ctx context.Context, p platformBuild) target.Push {
	push := r.options.Push[p.target.Service]
	push.Namespace = r.options.Namespace
	push.CacheTo = r.ready(ctx, p, true, push.CacheTo)
	if r.caches.importDisabled(p) {
		push.CacheFrom = nil
		return push
	}
	push.CacheFrom = r.ready(ctx, p, false, push.CacheFrom)
	return push
}

func (r *run) ready(ctx context.Context, p platformBuild, writing bool, caches []target.Cache) []target.Cache {
	var out []target.Cache
	for _, c := range caches {
		if c.Platform != "" && c.Platform != p.Platform {
			continue
		}
		if r.options.CacheLogin != nil {
			secrets, err := r.options.CacheLogin(ctx, c)
			if err != nil {
				r.caches.note(p, writing, err)
				continue
			}
			c.Attrs = maps.Clone(c.Attrs)
			maps.Copy(c.Attrs, secrets)
		}
		out = append(out, c)
	}
	return out
}

// solveWithCacheFallback solves, and once more without reading Slipway's own caches where they
// may be why it failed: BuildKit reads a cache's list of layers first and the layers when
// it needs them, and one that is gone or damaged then fails the build.
func (r *run) solveWithCacheFallback(ctx context.Context, p platformBuild, images map[string]string) (string, error) {
	var watch cacheObserver
	if p.target.ImportsPushCache() {
		p.seen = watch.see
	}
	digest, err := r.solve(ctx, p, images)
	if watch.importing != nil && r.caches.firstFailure(p) {
		r.caches.note(p, false, watch.importing)
	}
	if err == nil || !watch.mayHaveCaused(err) || r.caches.importDisabled(p) {
		return digest, err
	}
	r.caches.disableImport(p)
	p.seen = nil
	digest, second := r.solve(ctx, p, images)
	if second == nil {
		r.caches.note(p, false, err)
	}
	return digest, second
}

// cacheObserver reads of a request's progress what became of its caches.
type cacheObserver struct {
	imported  bool
	importing error
	exporting error
	// steps reports that the build has steps besides its base images, and empty that the
	// engine found no layers to write.
	steps, empty bool
}

// How BuildKit names the steps that read the list of a cache's layers (solver/llbsolver)
// and that write a cache (the exporters' Name in cache/remotecache).
const (
	importVertex      = "importing cache manifest from "
	cacheExportVertex = "exporting cache to "
)

// emptyExport is the status of BuildKit's exporter of registry caches when it finds no
// layers. It returns no error then (cache/remotecache/export.go).
const emptyExport = "skipping cache export for empty result"

var errEmptyExport = errors.New("the engine found no layers for it")

// notWritten returns why the cache was not written; nil if it was, or if there is nothing
// to write.
func (w *cacheObserver) notWritten() error {
	if w.exporting == nil && w.steps && w.empty {
		return errEmptyExport
	}
	return w.exporting
}

func (w *cacheObserver) see(s *client.SolveStatus) {
	for _, status := range s.Statuses {
		w.empty = w.empty || status.ID == emptyExport
	}
	for _, v := range s.Vertexes {
		w.steps = w.steps || len(v.Inputs) > 0
		switch {
		case strings.HasPrefix(v.Name, importVertex) && notThere(v.Error):
		case strings.HasPrefix(v.Name, importVertex) && v.Error != "":
			w.importing = errors.New(v.Error)
		case strings.HasPrefix(v.Name, importVertex) && v.Completed != nil:
			w.imported = true
		case strings.HasPrefix(v.Name, cacheExportVertex) && v.Error != "":
			w.exporting = errors.New(v.Error)
		}
	}
}

// notThere reports whether a cache could not be read because there is none yet.
func notThere(text string) bool {
	return strings.HasPrefix(text, "failed to configure ") && strings.HasSuffix(text, ": not found")
}

// mayHaveCaused reports whether a cache that was read may be the cause of a
// failure. It is not the cause if a step ran and failed, if a push was refused,
// or if the job was ended.
func (w *cacheObserver) mayHaveCaused(err error) bool {
	var failed *FailedError
	var exit *gateway.ExitError
	switch {
	case !w.imported || !errors.As(err, &failed) || errors.As(err, &exit):
		return false
	case failed.Pushing:
		return unreadable(failed.Err)
	default:
		return true
	}
}

// reads are the words of errors in reading a layer that is to be pushed: those of
// containerd's reader of registries, and of the SDK's of S3. The errors have no
// type.
var reads = []string{"httpReadSeeker", "S3: GetObject"}

func unreadable(err error) bool {
	for _, words := range reads {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}
