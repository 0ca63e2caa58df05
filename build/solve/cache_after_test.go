package solve_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"slipway/build/solve"
	"slipway/build/target"
)

// TestCachesAreWrittenAfterTheImages: the results are there before the first cache is
// written. The engine's registry takes no cache before that.
func TestCachesAreWrittenAfterTheImages(t *testing.T) {
	t.Parallel()
	b := newCacheFixture(t, staged)
	built := make(chan struct{})
	puts := cacheManifest(http.MethodPut)
	b.set(func(_ http.ResponseWriter, r *http.Request) bool {
		if puts(r) {
			<-built
		}
		return false
	})
	got := b.buildFresh(t, func(o *solve.RunOptions, _ []target.Target) {
		o.Built = func(results []solve.Result) {
			if len(results) != 1 || results[0].Err != nil || results[0].Digest == "" {
				t.Errorf("built: %+v", results)
			}
			close(built)
		}
	})
	wantBuilt(t, got)
	b.manifest(t, "app", cacheTag)
}

// TestOwnCachesAreWrittenBeforeTheResults: a cache of the compose file can fail the
// build, so that no image counts as built before it is written.
func TestOwnCachesAreWrittenBeforeTheResults(t *testing.T) {
	t.Parallel()
	b := newCacheFixture(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
	b.tree["compose.yaml"] = "services:\n  app: {build: .}\n  own: {build: {context: ., cache_to: [\"type=registry,ref=" + b.host + "/own:own\"]}}\n"
	var early atomic.Bool
	got := b.buildFresh(t, func(o *solve.RunOptions, _ []target.Target) {
		o.Built = func([]solve.Result) { early.Store(true) }
	})
	wantBuilt(t, got)
	if early.Load() {
		t.Error("the images counted as built before the compose file's cache was written")
	}
}
