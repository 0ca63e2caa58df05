package solve_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/testkit"
)

// intermediate has a layer that is in the cache only: the image lacks it.
var intermediate = map[string]string{
	"compose.yaml": "services: {app: {build: .}}",
	"Dockerfile":   "FROM scratch AS made\nCOPY --link Dockerfile /\nFROM scratch\nCOPY --from=made Dockerfile /copied\n",
}

// A cache on S3 has its layers compressed as the image has them, those too that
// are in the cache only and that the engine has in gzip.
func TestS3CacheHasTheImagesCompression(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("layers"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	_, to := target.S3Cache(target.S3Place{Bucket: "layers", Region: "eu-west-1", Endpoint: server.URL}, "app")
	for k, v := range target.S3Credentials("id", "secret", "") {
		to.Attrs[k] = v
	}
	delete(to.Attrs, "ignore-error")

	o := newBuildFixture(t)
	list := plan(t, testkit.WriteTree(t, intermediate))
	for _, c := range []struct {
		compression target.Compression
		mediaType   types.MediaType
	}{{target.Gzip, types.OCILayer}, {target.Zstd, types.OCILayerZStd}} {
		list[0].Compression = c.compression
		push := o.pushes(list)
		p := push["app"]
		p.CacheTo = []target.Cache{to}
		push["app"] = p
		o.mustBuild(t, list, solve.RunOptions{Push: push})
		for _, got := range s3Layers(t, backend) {
			if got != c.mediaType {
				t.Errorf("a layer of the cache is %s, want %s", got, c.mediaType)
			}
		}
	}
}

// s3Layers returns the media types of the layers that the cache "app" lists (the
// format is CacheConfig in cache/remotecache/v1 of BuildKit).
func s3Layers(t *testing.T, backend gofakes3.Backend) []types.MediaType {
	t.Helper()
	object, err := backend.GetObject("layers", "manifests/app", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Contents.Close()
	var list struct {
		Layers []struct {
			Annotations struct {
				MediaType types.MediaType `json:"mediaType"`
			} `json:"annotations"`
		} `json:"layers"`
	}
	if err := json.NewDecoder(object.Contents).Decode(&list); err != nil {
		t.Fatal(err)
	}
	out := make([]types.MediaType, len(list.Layers))
	for i, l := range list.Layers {
		out[i] = l.Annotations.MediaType
	}
	if len(out) < 2 {
		t.Fatalf("the cache lists %d layers, want that of each stage", len(out))
	}
	return out
}
