package solve_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/testkit"
)

// TestGzipLevel: layers have the bytes of the level that Slipway asks for.
func TestGzipLevel(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "%d of %d\n", i*i%977, i)
	}
	b := newCacheFixture(t, map[string]string{
		"compose.yaml": "services: {app: {build: .}}", "Dockerfile": "FROM scratch\nCOPY text /\n", "text": text.String(),
	})
	built := b.mustBuild(t, plan(t, testkit.WriteTree(t, b.tree)), solve.RunOptions{})["app"]
	layers, err := b.image(t, built).Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v, want one", len(layers), err)
	}
	have, plain := read(t, layers[0].Compressed), read(t, layers[0].Uncompressed)
	for level := gzip.BestSpeed; level <= gzip.BestCompression; level++ {
		var want bytes.Buffer
		w, err := gzip.NewWriterLevel(&want, level)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if same := bytes.Equal(have, want.Bytes()); same != (level == target.GzipLevel) {
			t.Errorf("the layer of %d bytes is that of level %d with its %d bytes: %t", len(have), level, want.Len(), same)
		}
	}
}

func read(t *testing.T, open func() (io.ReadCloser, error)) []byte {
	t.Helper()
	r, err := open()
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
