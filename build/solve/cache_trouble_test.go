package solve_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/buildkit/client"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// cacheRegistry is a registry that can lose blobs and refuse requests, and that counts the
// bytes of layers.
type cacheRegistry struct {
	mu     sync.Mutex
	gone   map[string]bool
	answer func(http.ResponseWriter, *http.Request) bool
	// down and up are the bytes of blobs that came and went, by digest.
	down, up map[string]int64
}

var blobPath = regexp.MustCompile(`/blobs/(sha256:[0-9a-f]{64})$`)

func (l *cacheRegistry) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.refuses(w, r) {
			return
		}
		counted := &countedBody{ReadCloser: r.Body}
		answer := &countedAnswer{ResponseWriter: w}
		r.Body = counted
		next.ServeHTTP(answer, r)
		l.count(r, answer, counted.n)
	})
}

func (l *cacheRegistry) refuses(w http.ResponseWriter, r *http.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answer != nil && l.answer(w, r) {
		return true
	}
	if m := blobPath.FindStringSubmatch(r.URL.Path); m != nil && l.gone[m[1]] {
		status(404, `{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}`)(w)
		return true
	}
	return false
}

func (l *cacheRegistry) count(r *http.Request, answer *countedAnswer, in int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down == nil {
		l.down, l.up = map[string]int64{}, map[string]int64{}
	}
	if m := blobPath.FindStringSubmatch(r.URL.Path); m != nil && r.Method == http.MethodGet {
		l.down[m[1]] += answer.n
	}
	if r.Method == http.MethodPut && answer.code == http.StatusCreated {
		delete(l.gone, r.URL.Query().Get("digest"))
	}
	if d := r.URL.Query().Get("digest"); d != "" && blobUpload(r) {
		l.up[d] += in
	}
}

// lose removes the layers of an image or cache from the registry.
func (l *cacheRegistry) lose(layers ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = map[string]bool{}
	for _, d := range layers {
		l.gone[d] = true
	}
}

func (l *cacheRegistry) set(answer func(http.ResponseWriter, *http.Request) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

// reset forgets what was counted.
func (l *cacheRegistry) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down, l.up = nil, nil
}

type countedBody struct {
	io.ReadCloser
	n int64
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}

type countedAnswer struct {
	http.ResponseWriter
	n    int64
	code int
}

func (c *countedAnswer) WriteHeader(code int) {
	c.code = code
	c.ResponseWriter.WriteHeader(code)
}

func (c *countedAnswer) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n += int64(n)
	return n, err
}

// cacheFixture is an engine of its own with a cacheRegistry, and a project that is built
// several times, each time on an engine without any cache.
type cacheFixture struct {
	*buildFixture
	*cacheRegistry
	e    *enginetest.Engine
	tree map[string]string
}

func newCacheFixture(t *testing.T, tree map[string]string) *cacheFixture {
	t.Helper()
	e := enginetest.Start(t, enginetest.Debug())
	l := &cacheRegistry{}
	return &cacheFixture{newBuildFixtureOn(t, e, l.wrap), l, e, withProbe(t, tree)}
}

const cacheTag = "buildcache"

// cached gives each service its cache in its own repository.
func (b *cacheFixture) cached(list []target.Target) map[string]target.Push {
	push := b.pushes(list)
	for name, p := range push {
		from, to := target.RegistryCache(p.Repository + ":" + cacheTag)
		p.CacheFrom, p.CacheTo = []target.Cache{from}, []target.Cache{to}
		push[name] = p
	}
	return push
}

// buildFresh builds on an emptied engine, from files with other times.
func (b *cacheFixture) buildFresh(t *testing.T, change ...func(*solve.RunOptions, []target.Target)) map[string]solve.Result {
	t.Helper()
	b.e.Empty(t)
	b.engines[0].Client = b.e.Client(t)
	list := plan(t, testkit.WriteTree(t, b.tree))
	var count retryCounter
	o := count.options(3)
	o.Push = b.cached(list)
	for _, c := range change {
		c(&o, list)
	}
	return b.build(t.Context(), t, list, o)
}

// wantBuilt checks that each build succeeded with one cache error for each of the words,
// which say whether it was reading or writing; without words, with no cache error.
func wantBuilt(t *testing.T, got map[string]solve.Result, words ...string) {
	t.Helper()
	for name, r := range got {
		if r.Err != nil || r.Digest == "" {
			t.Errorf("building %s: %v, digest %q", name, r.Err, r.Digest)
		}
		if len(r.Cache) != len(words) {
			t.Errorf("%s: caches: %+v, want %q", name, r.Cache, words)
			continue
		}
		for i, w := range words {
			if r.Cache[i].Writing != (w == "writing") || r.Cache[i].Err == nil {
				t.Errorf("%s: caches: %+v, want %q", name, r.Cache, words)
			}
		}
	}
}

// staged is a service of two stages whose first has a step that takes notice of the time.
var staged = map[string]string{
	"compose.yaml": "services: {app: {build: .}}",
	"Dockerfile":   "FROM scratch AS made\nCOPY --chmod=755 probe /probe\nRUN [\"/probe\",\"see\",\"time\",\"/time\"]\nFROM scratch\nCOPY --from=made /time /time\nCOPY compose.yaml /\n",
}

// layers are those of the manifest that a tag or digest names.
func (b *cacheFixture) layers(t *testing.T, service, reference string) []string {
	t.Helper()
	var m v1.Manifest
	if err := json.Unmarshal(b.manifest(t, service, reference), &m); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range m.Layers {
		out = append(out, l.Digest.String())
	}
	return out
}

func (b *cacheFixture) manifest(t *testing.T, service, reference string) []byte {
	t.Helper()
	resp, err := http.Get("http://" + b.host + "/v2/" + service + "/manifests/" + reference)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET of the manifest %s:%s: %s, %v", service, reference, resp.Status, err)
	}
	return data
}

func cacheManifest(method string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == method && strings.HasSuffix(r.URL.Path, "/manifests/"+cacheTag)
	}
}

// A cache that is damaged, refused or missing layers fails no build, and is reported
// once.
func TestBrokenCache(t *testing.T) {
	t.Parallel()
	b := newCacheFixture(t, staged)
	b.buildFresh(t) // without a cache there yet

	// Twice the same: the cache works.
	first := b.buildFresh(t)["app"]
	if again := b.buildFresh(t)["app"]; again.Digest != first.Digest || len(again.Cache) > 0 {
		t.Fatalf("the cache does not work: %+v, then %+v", first, again)
	}
	answer := func(match func(*http.Request) bool, code int, body string) {
		b.set(func(w http.ResponseWriter, r *http.Request) bool {
			if match(r) {
				status(code, body)(w)
				return true
			}
			return false
		})
	}
	for _, code := range []int{403, 500} {
		answer(cacheManifest(http.MethodHead), code, denied)
		wantBuilt(t, b.buildFresh(t), "reading", "writing")
	}
	// Only a cache that has changed is exported: an equal one is left where it is.
	answer(cacheManifest(http.MethodPut), 403, denied)
	b.tree["Dockerfile"] += "LABEL one=1\nCOPY Dockerfile /\n"
	wantBuilt(t, b.buildFresh(t), "writing")
	// ECR's answer where the tag is immutable.
	answer(cacheManifest(http.MethodPut), 400, `{"errors":[{"code":"TAG_INVALID","message":"The image tag 'buildcache' already exists and cannot be overwritten because the repository is immutable."}]}`)
	wantBuilt(t, b.buildFresh(t), "writing")
	b.set(nil)
	wantBuilt(t, b.buildFresh(t))

	for _, code := range []int{403, 500} {
		answer(func(r *http.Request) bool { return r.Method == http.MethodGet && blobPath.MatchString(r.URL.Path) }, code, denied)
		wantBuilt(t, b.buildFresh(t), "reading")
	}
	b.set(nil)
	b.breakCache(t, "app", []byte("{"))
	wantBuilt(t, b.buildFresh(t), "reading")
	wantBuilt(t, b.buildFresh(t)) // the cache was written again
}

// breakCache replaces the cache of a service by one whose list of layers is config.
func (b *cacheFixture) breakCache(t *testing.T, service string, config []byte) {
	t.Helper()
	ref, err := name.NewTag(b.host + "/" + service + ":" + cacheTag)
	if err != nil {
		t.Fatal(err)
	}
	layer := static.NewLayer(config, "application/vnd.buildkit.cacheconfig.v0")
	digest, err := layer.Digest()
	if err == nil {
		err = remote.WriteLayer(ref.Context(), layer)
	}
	if err != nil {
		t.Fatal(err)
	}
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.buildkit.cacheconfig.v0","size":%d,"digest":%q},"layers":[]}`, types.OCIManifestSchema1, len(config), digest)
	if err := remote.Put(ref, rawManifest(manifest)); err != nil {
		t.Fatal(err)
	}
}

type rawManifest string

func (m rawManifest) RawManifest() ([]byte, error)        { return []byte(m), nil }
func (m rawManifest) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// A layer that the cache names and the registry has lost is found out when it is needed:
// for a push, or for a step that runs on it.
func TestCacheThatLostLayers(t *testing.T) {
	t.Parallel()
	b := newCacheFixture(t, staged)
	b.buildFresh(t)
	first := b.buildFresh(t)["app"]
	b.lose(b.layers(t, "app", cacheTag)...)
	second := b.buildFresh(t)
	wantBuilt(t, second, "reading")
	if second["app"].Digest == first.Digest {
		t.Error("the step that prints the time was not run again: this test proves nothing")
	}
	wantBuilt(t, b.buildFresh(t)) // the cache was written again

	b.lose(b.layers(t, "app", b.buildFresh(t)["app"].Digest)...)
	wantBuilt(t, b.buildFresh(t), "reading")

	b.lose(b.layers(t, "app", cacheTag)...)
	b.tree["Dockerfile"] = strings.Replace(staged["Dockerfile"], "FROM scratch\nCOPY", "RUN [\"/probe\",\"see\",\"time\",\"/more\"]\nFROM scratch\nCOPY --from=made /more /more\nCOPY", 1)
	wantBuilt(t, b.buildFresh(t), "reading")
}

// Failures that do not come of the cache are not tried without it.
func TestFailureBesideTheCache(t *testing.T) {
	t.Parallel()
	b := newCacheFixture(t, staged)
	b.buildFresh(t)
	b.tree["Dockerfile"] += "COPY --from=made /probe /probe\nRUN [\"/probe\",\"fail\",\"by itself\"]\n"
	var mu sync.Mutex
	runs, imports := map[time.Time]bool{}, 0
	got := b.buildFresh(t, func(o *solve.RunOptions, _ []target.Target) {
		o.Status = func(_ string, s *client.SolveStatus) {
			mu.Lock()
			defer mu.Unlock()
			for _, v := range s.Vertexes {
				if v.Error != "" && strings.Contains(v.Name, "fail") {
					runs[*v.Started] = true
				}
				if v.Completed != nil && strings.HasPrefix(v.Name, "importing cache manifest") {
					imports++
				}
			}
		}
	})["app"]
	var failed *solve.FailedError
	if !errors.As(got.Err, &failed) || len(got.Cache) > 0 || len(runs) != 1 || imports == 0 {
		t.Errorf("%+v, ran %d times, %d imports", got, len(runs), imports)
	}
	// Nor is a push that is refused, though the cache was read.
	b.tree = withProbe(t, staged)
	b.set(func(w http.ResponseWriter, r *http.Request) bool {
		if manifestPut(r) {
			status(403, denied)(w)
		}
		return manifestPut(r)
	})
	b.tree["Dockerfile"] += "COPY Dockerfile /\n"
	if got := b.buildFresh(t)["app"]; !errors.As(got.Err, &failed) || !failed.Pushing || len(got.Cache) > 0 {
		t.Errorf("got %+v, want a refused push and no cache error", got)
	}
}

// TestComposeCachesKeepTheirMeaning: a cache that the compose file has written and cannot be
// fails the build, unless it may; what it reads and is not there is its own affair.
func TestComposeCachesKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	tree := map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"}
	b := newCacheFixture(t, tree)
	ref := func(service, more string) string {
		return "type=registry,ref=" + b.host + "/" + service + ":own" + more
	}
	b.tree["compose.yaml"] = `services:
  strict: {build: {context: ., cache_from: ["` + ref("strict", "") + `"], cache_to: ["` + ref("strict", "") + `"]}}
  lenient: {build: {context: ., cache_from: ["` + ref("lenient", "") + `"], cache_to: ["` + ref("lenient", ",ignore-error=true") + `"]}}
`
	b.set(func(w http.ResponseWriter, r *http.Request) bool {
		own := strings.HasSuffix(r.URL.Path, "/manifests/own")
		if own {
			status(403, denied)(w)
		}
		return own
	})
	got := b.buildFresh(t)
	var failed *solve.FailedError
	if r := got["strict"]; !errors.As(r.Err, &failed) || r.Digest != "" || len(r.Cache) > 0 {
		t.Errorf("strict: got %+v, want a failed build and no cache error", r)
	}
	if r := got["lenient"]; r.Err != nil || r.Digest == "" || len(r.Cache) > 0 {
		t.Errorf("lenient: got %+v, want an image and no cache error", r)
	}
}
