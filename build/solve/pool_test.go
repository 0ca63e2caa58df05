package solve_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/moby/buildkit/client"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// watch takes an engine for lost once a request has failed and it does not answer.
type watch struct {
	client *client.Client
	gone   chan struct{}
	once   sync.Once
}

func (w *watch) Gone() <-chan struct{} { return w.gone }

func (w *watch) Lost(ctx context.Context, failure error) error {
	if _, err := w.client.ListWorkers(ctx); err == nil {
		return nil
	}
	w.once.Do(func() { close(w.gone) })
	return failure
}

// member makes a daemon an engine of a pool.
func member(t *testing.T, e *enginetest.Engine, address, platform string) solve.Engine {
	t.Helper()
	c := e.Client(t)
	return solve.Engine{Client: c, Address: address, Platform: platform, Watch: &watch{client: c, gone: make(chan struct{})}}
}

func kill(t *testing.T, e *enginetest.Engine) {
	t.Helper()
	if err := syscall.Kill(e.PID(), syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// losses are the calls of Lost.
type losses struct {
	mu   sync.Mutex
	said []string
}

func (l *losses) note(address string, services []string, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, address+": "+strings.Join(services, " "))
	if why == nil {
		l.said = append(l.said, "no reason")
	}
}

// A pool for one platform, and an engine for another: the images of the first
// platform are built by the pool's other engine.
func TestPoolOfAPlatform(t *testing.T) {
	o := newBuildFixtureOn(t, enginetest.Shared(t))
	t.Parallel()
	doomed := enginetest.Start(t)
	shared := o.engines[0].Client
	o.engines = []solve.Engine{
		member(t, doomed, "tcp://a", "linux/amd64"),
		{Client: shared, Address: "tcp://b", Platform: "linux/amd64", Watch: &watch{client: shared, gone: make(chan struct{})}},
		{Client: enginetest.Start(t).Client(t), Address: "tcp://c", Platform: "linux/arm64"},
	}
	list := plan(t, testkit.WriteTree(t, map[string]string{"compose.yaml": severalProject, "amd64": "an amd", "arm64": "an arm", "who": t.Name()}))
	var lost losses
	opts := solve.RunOptions{Lost: lost.note, Order: func(service, platform string, addresses []string) []string {
		if platform == "linux/amd64" && !slices.Equal(addresses, []string{"tcp://a", "tcp://b"}) || platform == "linux/arm64" && !slices.Equal(addresses, []string{"tcp://c"}) {
			t.Errorf("the engines of %s for %q are %q", service, platform, addresses)
		}
		return addresses
	}}
	first := o.mustBuild(t, list, opts)
	if len(lost.said) != 0 {
		t.Errorf("lost: %q, want none", lost.said)
	}
	kill(t, doomed)
	second := o.mustBuild(t, list, opts)
	if want := []string{"tcp://a: any both linked"}; !slices.Equal(lost.said, want) {
		t.Errorf("lost: %q, want %q", lost.said, want)
	}
	for _, r := range []map[string]solve.Result{first, second} {
		o.wantArch(t, r["both"], "linux/amd64", "an amd")
		o.wantArch(t, r["both"], "linux/arm64", "an arm")
		o.wantArch(t, r["linked"], "linux/amd64", "an amd")
		o.want(t, r["any"], map[string]string{"arch": "an amd"})
	}
}

// suspicious takes every failure for the loss of its engine.
type suspicious struct{}

func (suspicious) Gone() <-chan struct{}                       { return nil }
func (suspicious) Lost(_ context.Context, failure error) error { return failure }

// A step that fails is not a sign of a lost engine: it runs once.
func TestPoolRepeatsNoFailedStep(t *testing.T) {
	o := newBuildFixtureOn(t, enginetest.Shared(t))
	t.Parallel()
	one, other := member(t, enginetest.Shared(t), "tcp://a", ""), member(t, enginetest.Shared(t), "tcp://b", "")
	one.Watch = suspicious{}
	o.engines = []solve.Engine{one, other}
	m := newCheckpoint(t)
	list := plan(t, testkit.WriteTree(t, withProbe(t, services(map[string][]string{"bad": {"meet " + m.addr + " bad", "fail on purpose"}}))))
	go func() { m.next(t).release() }()
	var lost losses
	r := o.build(t.Context(), t, list, solve.RunOptions{Lost: lost.note})["bad"]
	var failed *solve.FailedError
	if !errors.As(r.Err, &failed) || !strings.Contains(r.Err.Error(), "exit code: 7") || len(lost.said) != 0 || len(m.arrived) != 0 {
		t.Errorf("got %v, lost %q, want the failure of the step and no loss", r.Err, lost.said)
	}
}

// When the last engine is lost, the error has the words of each.
func TestPoolLosesAllEngines(t *testing.T) {
	o := newBuildFixtureOn(t, enginetest.Shared(t))
	t.Parallel()
	a, b := enginetest.Start(t), enginetest.Start(t)
	o.engines = []solve.Engine{member(t, a, "tcp://a", ""), member(t, b, "tcp://b", "")}
	kill(t, a)
	kill(t, b)
	list := plan(t, testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {one: {build: .}}", "Dockerfile": "FROM scratch\nCOPY . /\n"}))
	var lost losses
	r := o.build(t.Context(), t, list, solve.RunOptions{Lost: lost.note})["one"]
	var failed *solve.FailedError
	var none *solve.LostError
	if !errors.As(r.Err, &failed) || !errors.As(r.Err, &none) || !slices.Equal(none.Addresses, []string{"tcp://a", "tcp://b"}) || len(none.Errs) != 2 {
		t.Fatalf("got %v, want a FailedError with a LostError of both engines", r.Err)
	}
	if !slices.Equal(lost.said, []string{"tcp://a: one"}) {
		t.Errorf("lost: %q, want the first engine alone", lost.said)
	}
}

// An engine that is lost while it writes a cache does no harm to the image. A cache of
// Slipway's own is then not written, one of the compose file by the other engine.
func TestPoolLosesAnEngineThatWritesACache(t *testing.T) {
	for name, own := range map[string]bool{"own": true, "of the compose file": false} {
		t.Run(name, func(t *testing.T) {
			doomed := enginetest.Start(t)
			var once sync.Once
			f := &faults{match: func(r *http.Request) bool { return manifestPut(r) && strings.HasSuffix(r.URL.Path, "/cache") }}
			f.left.Store(1)
			f.respond = func(w http.ResponseWriter) {
				once.Do(func() { kill(t, doomed) })
				hangUp(w)
			}
			o := newBuildFixtureOn(t, enginetest.Shared(t), f.wrap)
			t.Parallel()
			o.engines = []solve.Engine{member(t, doomed, "tcp://a", ""), member(t, enginetest.Shared(t), "tcp://b", "")}
			text := "services: {one: {build: .}}"
			if !own {
				text = "services: {one: {build: {context: ., cache_to: [\"type=registry,mode=max,ref=" + o.host + "/one:cache,image-manifest=true,registry.insecure=true\"]}}}"
			}
			list := plan(t, testkit.WriteTree(t, map[string]string{"compose.yaml": text, "Dockerfile": "FROM scratch\nCOPY . /\n"}))
			pushes := o.pushes(list)
			if own {
				p := pushes["one"]
				_, cache := target.RegistryCache(o.host + "/one:cache")
				p.CacheTo = []target.Cache{cache}
				pushes["one"] = p
			}
			var lost losses
			r := o.build(t.Context(), t, list, solve.RunOptions{Push: pushes, Lost: lost.note})["one"]
			if r.Err != nil || r.Digest == "" || f.hits.Load() != 1 || len(lost.said) != 0 {
				t.Fatalf("got %+v after %d faults, lost %q, want an image and no engine's builds moved", r, f.hits.Load(), lost.said)
			}
			o.want(t, r, map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n"})
			if written := len(r.Cache) == 0; written == own {
				t.Errorf("the trouble with the cache is %v", r.Cache)
			}
		})
	}
}
