package solve_test

import (
	"encoding/json"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/testkit"
)

// based is a service of several stages on a base image, with steps in each.
const based = `FROM HOST/base AS made
COPY --chmod=755 probe /probe
RUN ["/probe","see","time","/time"]
FROM HOST/base
COPY --from=made /time /time
COPY --chmod=755 probe /probe
RUN ["/probe","see","time","/later"]
COPY compose.yaml /
`

// newCacheFixtureOnBase returns a fixture with two services, one of them on a base
// image of three layers.
func newCacheFixtureOnBase(t *testing.T) *cacheFixture {
	t.Helper()
	b := newCacheFixture(t, staged)
	b.tree["compose.yaml"] = "services: {app: {build: .}, other: {build: {context: ., dockerfile: Based}}}"
	b.tree["Based"] = strings.ReplaceAll(based, "HOST", b.host)
	image, err := random.Image(100_000, 3)
	if err != nil {
		t.Fatal(err)
	}
	image = mutate.MediaType(image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.Architecture, config.OS = runtime.GOARCH, "linux"
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(b.host + "/base:latest")
	if err == nil {
		err = remote.Write(ref, image)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// movedLayers returns the layers of images and caches that were downloaded and uploaded
// since reset. Other blobs are configurations and lists of layers.
func (b *cacheFixture) movedLayers(t *testing.T, of map[string]solve.Result) (down, up []string) {
	t.Helper()
	layers := map[string]string{}
	for service, r := range of {
		for _, l := range b.layers(t, service, r.Digest) {
			layers[l] = service + "'s"
		}
		for _, l := range b.layers(t, service, cacheTag) {
			if layers[l] == "" {
				layers[l] = service + "'s cache's"
			}
		}
	}
	b.cacheRegistry.mu.Lock()
	defer b.cacheRegistry.mu.Unlock()
	for d := range b.cacheRegistry.down {
		if whose := layers[d]; whose != "" {
			down = append(down, whose+" "+d[:15])
		}
	}
	for d, n := range b.cacheRegistry.up {
		if n > 0 && layers[d] != "" {
			up = append(up, layers[d]+" "+d[:15])
		}
	}
	slices.Sort(down)
	slices.Sort(up)
	return down, up
}

// On a fresh host where nothing has changed, no layer is downloaded or uploaded that the
// registry has, and the digests are the same; with a change in the last step, one layer
// goes up.
func TestNoLayerIsMovedTwice(t *testing.T) {
	for _, c := range []struct {
		compression target.Compression
		mediaType   types.MediaType
	}{{target.Gzip, types.OCILayer}, {target.Zstd, types.OCILayerZStd}} {
		t.Run(string(c.mediaType), func(t *testing.T) {
			b := newCacheFixtureOnBase(t)
			compress := func(_ *solve.RunOptions, list []target.Target) {
				for i := range list {
					list[i].Compression = c.compression
				}
			}
			first := b.buildFresh(t, compress)
			wantBuilt(t, first)
			b.reset()
			second := b.buildFresh(t, compress)
			wantBuilt(t, second)
			if down, up := b.movedLayers(t, second); len(down)+len(up) > 0 {
				t.Errorf("downloaded %q, uploaded %q, want none", down, up)
			}
			if !maps.EqualFunc(first, second, func(a, b solve.Result) bool { return a.Digest == b.Digest }) {
				t.Errorf("%+v became %+v", first, second)
			}
			for service, r := range second {
				b.wantLayerTypes(t, service, r.Digest, c.mediaType)
				b.wantLayerTypes(t, service, cacheTag, c.mediaType)
			}
			b.reset()
			b.tree["Based"] += "COPY Based /\n"
			third := b.buildFresh(t, compress)
			wantBuilt(t, third)
			down, up := b.movedLayers(t, third)
			// The new layer is of the image and of the cache, and goes up once. What it lies
			// on comes down: only COPY --link needs nothing below it.
			if len(up) != 1 || !strings.HasPrefix(up[0], "other's ") || len(down) == 0 {
				t.Errorf("after one change: downloaded %q, uploaded %q", down, up)
			}
		})
	}
}

// wantLayerTypes checks the media type of every layer of an image or a cache.
func (b *cacheFixture) wantLayerTypes(t *testing.T, service, reference string, want types.MediaType) {
	t.Helper()
	var m v1.Manifest
	if err := json.Unmarshal(b.manifest(t, service, reference), &m); err != nil {
		t.Fatal(err)
	}
	for _, l := range m.Layers {
		if l.MediaType != want {
			t.Errorf("%s:%s has a layer of %s, want %s", service, reference, l.MediaType, want)
		}
	}
	if len(m.Layers) == 0 {
		t.Errorf("%s:%s has no layers", service, reference)
	}
}

// The compression does not go by what an engine has: layers that are there in gzip become
// zstd, the same bytes as on an engine that had none.
func TestCompressionIsForced(t *testing.T) {
	t.Parallel()
	b := newCacheFixture(t, map[string]string{"compose.yaml": "services: {app: {build: .}}", "Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
	list := plan(t, testkit.WriteTree(t, b.tree))
	b.wantLayerTypes(t, "app", b.mustBuild(t, list, solve.RunOptions{})["app"].Digest, types.OCILayer)
	list[0].Compression = target.Zstd
	second := b.mustBuild(t, list, solve.RunOptions{})["app"]
	b.wantLayerTypes(t, "app", second.Digest, types.OCILayerZStd)
	b.e.Empty(t)
	b.engines[0].Client = b.e.Client(t)
	// The images hold the time at which they were made, and differ.
	there, empty := b.layers(t, "app", second.Digest), b.layers(t, "app", b.mustBuild(t, list, solve.RunOptions{})["app"].Digest)
	if !slices.Equal(there, empty) {
		t.Errorf("%v on an engine with layers in gzip, %v on an empty one", there, empty)
	}
}
