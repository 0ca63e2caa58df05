package solve

import (
	"errors"
	"testing"

	"slipway/build/target"
)

// TestCached: a cache that has the layers of the image is not written again. One that
// could not be read is, and one of the compose file's.
func TestCached(t *testing.T) {
	t.Parallel()
	asked := ""
	has := func(service, digest string) bool {
		asked = service + "@" + digest
		return true
	}
	own := target.Target{Service: "web", CacheTo: []target.Cache{{Type: "registry"}}}
	for name, c := range map[string]struct {
		target target.Target
		unread bool
		cached func(string, string) bool
		want   bool
	}{
		"it is there":              {target.Target{Service: "web"}, false, has, true},
		"it has other layers":      {target.Target{Service: "web"}, false, func(string, string) bool { return false }, false},
		"it is not known":          {target.Target{Service: "web"}, false, nil, false},
		"it could not be read":     {target.Target{Service: "web"}, true, has, false},
		"the compose file has one": {own, false, has, false},
	} {
		r := &run{
			options: RunOptions{Cached: c.cached},
			done:    map[string]*outcome{"web": {result: Result{Service: "web", Digest: "sha256:1"}}},
		}
		if c.unread {
			r.caches.errs = map[string][]CacheError{"web": {{Err: errors.New("gone")}}}
		}
		if got := r.cached(c.target); got != c.want {
			t.Errorf("%s: cached = %v, want %v", name, got, c.want)
		}
	}
	if asked != "web@sha256:1" {
		t.Errorf("asked about %q, want web@sha256:1", asked)
	}
}
