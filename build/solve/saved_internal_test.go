package solve

import (
	"bytes"
	"io"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/build/target"
)

// TestSavedIsCompressed: what an engine without a push saved gets the compression that was
// asked for, the same bytes each time, and loses nothing.
func TestSavedIsCompressed(t *testing.T) {
	t.Parallel()
	image, err := random.Image(3_000_000, 2)
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := tarball.Write(name.MustParseReference("app:1"), image, &stream); err != nil {
		t.Fatal(err)
	}
	for c, want := range map[target.Compression]types.MediaType{target.Gzip: types.OCILayer, target.Zstd: types.OCILayerZStd} {
		var digests []v1.Hash
		for range 2 {
			s, err := unpack(t.Context(), bytes.NewReader(stream.Bytes()), c, target.Push{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			digest, err := s.image.Digest()
			if err != nil {
				t.Fatal(err)
			}
			digests = append(digests, digest)
			sameLayers(t, s.image, image, want)
		}
		if digests[0] != digests[1] {
			t.Errorf("%q: the digests are %v, want equal ones", c, digests)
		}
	}
}

func sameLayers(t *testing.T, got, want v1.Image, mediaType types.MediaType) {
	t.Helper()
	a, err := got.Layers()
	if err != nil {
		t.Fatal(err)
	}
	b, err := want.Layers()
	if err != nil || len(a) != len(b) {
		t.Fatal(len(a), len(b), err)
	}
	for i := range a {
		if m, err := a[i].MediaType(); err != nil || m != mediaType {
			t.Errorf("layer %d is %s, want %s (%v)", i, m, mediaType, err)
		}
		if !bytes.Equal(unpacked(t, a[i]), unpacked(t, b[i])) {
			t.Errorf("layer %d has another content", i)
		}
	}
}

func unpacked(t *testing.T, l v1.Layer) []byte {
	t.Helper()
	r, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
