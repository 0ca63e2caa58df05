package solve_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	docker "github.com/docker/cli/cli/config/types"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// faults stands in front of a registry and answers requests in its place.
type faults struct {
	match   func(*http.Request) bool
	left    atomic.Int64 // how many more requests to answer; negative means all
	hits    atomic.Int64
	respond func(http.ResponseWriter)
}

func (f *faults) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.match(r) && f.left.Load() != 0 {
			f.hits.Add(1)
			f.left.Add(-1)
			f.respond(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func status(code int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		w.Write([]byte(body))
	}
}

func hangUp(http.ResponseWriter) { panic(http.ErrAbortHandler) }

const denied = `{"errors":[{"code":"DENIED","message":"not authorized to perform: ecr:PutImage"}]}`

func manifestPut(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/")
}

func blobUpload(r *http.Request) bool {
	return strings.Contains(r.URL.Path, "/blobs/uploads/")
}

// retryCounter counts the retries and renewals that Run reports.
type retryCounter struct {
	mu     sync.Mutex
	causes []string
	renews int
}

func (c *retryCounter) options(attempts int) solve.RunOptions {
	return solve.RunOptions{
		Retry: solve.Backoff{Attempts: attempts, First: time.Millisecond, Max: 5 * time.Millisecond},
		Renew: func(string) bool { c.mu.Lock(); defer c.mu.Unlock(); c.renews++; return true },
		Retrying: func(_ string, _ int, _ time.Duration, cause error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.causes = append(c.causes, cause.Error())
		},
	}
}

// oneService returns the target of a small image that no other test pushes.
func oneService(t *testing.T) []target.Target {
	t.Helper()
	return plan(t, testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {app: {build: .}}", "Dockerfile": "FROM scratch\nCOPY who /\n", "who": t.Name()}))
}

// A registry that throttles, fails or hangs up until the engine's own tries are used up
// does not fail the build. All at once, since the engine takes seconds to give up.
func TestPushIsTriedAgain(t *testing.T) {
	const throttled = `{"errors":[{"code":"TOOMANYREQUESTS","message":"Rate exceeded"}]}`
	all := map[string]*faults{
		"throttled":      {match: manifestPut, respond: status(429, throttled)},
		"throttled-blob": {match: blobUpload, respond: status(429, throttled)},
		"broken":         {match: manifestPut, respond: status(500, "")},
		"busy-blob":      {match: blobUpload, respond: status(503, "<html>busy</html>")},
		"cut":            {match: manifestPut, respond: hangUp},
		"cut-blob":       {match: blobUpload, respond: hangUp},
	}
	text := "services:\n"
	var wraps []func(http.Handler) http.Handler
	for service, f := range all {
		match := f.match
		f.match = func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v2/"+service+"/") && match(r) }
		f.left.Store(-1)
		wraps = append(wraps, f.wrap)
		text += "  " + service + ": {build: {context: ., dockerfile_inline: \"FROM scratch\\nCOPY who /" + service + "\"}}\n"
	}
	o := newBuildFixture(t, wraps...)
	t.Parallel()
	var count retryCounter
	opts := count.options(12)
	told := opts.Retrying
	opts.Retrying = func(service string, attempt int, pause time.Duration, cause error) {
		all[service].left.Store(0)
		told(service, attempt, pause, cause)
	}
	got := o.mustBuild(t, plan(t, testkit.WriteTree(t, map[string]string{"compose.yaml": text, "who": t.Name()})), opts)
	for service, f := range all {
		o.want(t, got[service], map[string]string{service: t.Name()})
		if f.hits.Load() == 0 {
			t.Errorf("%s: no fault", service)
		}
	}
	if len(count.causes) != len(all) || count.renews != 0 {
		t.Errorf("%d renewals, retries %q", count.renews, count.causes)
	}
}

// A refusal is tried once more, with a new login, and then believed.
func TestRefusedPush(t *testing.T) {
	f := &faults{match: manifestPut, respond: status(403, denied)}
	o := newBuildFixture(t, f.wrap)
	t.Parallel()
	f.left.Store(-1)
	var count retryCounter
	got := o.build(t.Context(), t, oneService(t), count.options(12))["app"]
	var failed *solve.FailedError
	if !errors.As(got.Err, &failed) || !failed.Pushing || !strings.HasPrefix(got.Err.Error(), "pushing app: ") || !strings.Contains(got.Err.Error(), "ecr:PutImage") {
		t.Errorf("got error %v, want a FailedError of the push that names ecr:PutImage", got.Err)
	}
	if count.renews != 1 || len(count.causes) != 1 || f.hits.Load() != 2 {
		t.Errorf("%d renewals, %d retries, %d requests", count.renews, len(count.causes), f.hits.Load())
	}
}

// Where no login can be renewed, a refusal is the end.
func TestRefusedPushWithoutRenewal(t *testing.T) {
	f := &faults{match: manifestPut, respond: status(403, denied)}
	o := newBuildFixture(t, f.wrap)
	t.Parallel()
	f.left.Store(-1)
	for _, renew := range []func(string) bool{nil, func(string) bool { return false }} {
		f.hits.Store(0)
		var count retryCounter
		opts := count.options(12)
		opts.Renew = renew
		got := o.build(t.Context(), t, oneService(t), opts)["app"]
		if got.Err == nil || len(count.causes) != 0 || f.hits.Load() != 1 {
			t.Errorf("%v, %d requests", got.Err, f.hits.Load())
		}
	}
}

// The attempts are counted: a registry that never recovers ends the build.
func TestPushGivesUp(t *testing.T) {
	f := &faults{match: manifestPut, respond: status(429, "")}
	o := newBuildFixture(t, f.wrap)
	t.Parallel()
	f.left.Store(-1)
	var count retryCounter
	got := o.build(t.Context(), t, oneService(t), count.options(3))["app"]
	var failed *solve.FailedError
	if !errors.As(got.Err, &failed) || !failed.Pushing || len(count.causes) != 2 {
		t.Errorf("%v after %q", got.Err, count.causes)
	}
}

// A build step that fails is not a push: it is not tried again.
func TestFailedStepIsNotTriedAgain(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	var count retryCounter
	list := plan(t, testkit.WriteTree(t, withProbe(t, services(map[string][]string{"bad": {"fail exporting to image: 429"}}))))
	got := o.build(t.Context(), t, list, count.options(12))["bad"]
	if got.Err == nil || len(count.causes) != 0 || count.renews != 0 {
		t.Errorf("%v after %q", got.Err, count.causes)
	}
}

// Cancelling ends the pause before the next try.
func TestCancelWhileWaiting(t *testing.T) {
	f := &faults{match: manifestPut, respond: status(429, "")}
	o := newBuildFixture(t, f.wrap)
	t.Parallel()
	f.left.Store(-1)
	ctx, cancel := context.WithCancel(t.Context())
	opts := solve.RunOptions{
		Retry:    solve.Backoff{Attempts: 2, First: time.Hour, Max: time.Hour},
		Retrying: func(string, int, time.Duration, error) { cancel() },
	}
	if got := o.build(ctx, t, oneService(t), opts)["app"]; !errors.Is(got.Err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", got.Err)
	}
}

// A registry that takes one password: with the wrong one the push is refused, and after
// Renew the same build goes on.
func TestLoginIsUsedAndRenewed(t *testing.T) {
	var asked atomic.Int64
	guard := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, password, _ := r.BasicAuth(); password == "new" {
				next.ServeHTTP(w, r)
				return
			}
			asked.Add(1)
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			status(401, `{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}`)(w)
		})
	}
	o := newBuildFixture(t, guard)
	t.Parallel()
	var password atomic.Value
	password.Store("old")
	var count retryCounter
	opts := count.options(12)
	opts.Login = func(_ context.Context, host string) (docker.AuthConfig, error) {
		if host != o.host {
			return docker.AuthConfig{}, nil
		}
		return docker.AuthConfig{Username: "AWS", Password: password.Load().(string)}, nil
	}
	opts.Renew = func(service string) bool { password.Store("new"); count.renews++; return service == "app" }
	got := o.build(t.Context(), t, oneService(t), opts)["app"]
	if got.Err != nil || got.Digest == "" || asked.Load() == 0 || len(count.causes) != 1 || count.renews != 1 {
		t.Errorf("%+v after %d refusals, %d renewals, retries %q", got, asked.Load(), count.renews, count.causes)
	}
}

// The same digest comes from a fresh host with the registry's cache, though the files
// have other times there.
func TestSameDigestFromAnEmptiedEngine(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t, enginetest.Debug())
	o := newBuildFixtureOn(t, e)
	// Several services at once, which share a context: each one's cache must hold what the
	// shared directory contributes.
	steps := []string{"see time /time", "COPY compose.yaml /"}
	all := map[string][]string{"app": steps, "b": append([]string{"see time /b"}, steps...), "c": append([]string{"see time /c"}, steps...)}
	build1 := func() (map[string]solve.Result, map[string]string) {
		list := plan(t, testkit.WriteTree(t, withProbe(t, services(all))))
		push := o.pushes(list)
		for name, p := range push {
			from, to := target.RegistryCache(o.host + "/" + name + ":buildcache")
			p.CacheFrom, p.CacheTo = []target.Cache{from}, []target.Cache{to}
			push[name] = p
		}
		r := o.mustBuild(t, list, solve.RunOptions{Push: push})
		return r, o.files(t, r["app"])
	}
	first, saw := build1()
	e.Empty(t)
	o.engines[0].Client = e.Client(t)
	second, sees := build1()
	for name := range all {
		if first[name].Digest == "" || first[name].Digest != second[name].Digest {
			t.Errorf("%s: %s became %s", name, first[name].Digest, second[name].Digest)
		}
	}
	if saw["time"] == "" || saw["time"] != sees["time"] {
		t.Errorf("the step at %s ran at %s", saw["time"], sees["time"])
	}
	e.Empty(t)
	o.engines[0].Client = e.Client(t)
	list := plan(t, testkit.WriteTree(t, withProbe(t, services(map[string][]string{"app": {"see time /time", "COPY compose.yaml /"}}))))
	if third := o.mustBuild(t, list, solve.RunOptions{})["app"]; third.Digest == first["app"].Digest {
		t.Error("without the cache the digest is the same: this test proves nothing")
	}
}
