package rootfs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"slipway/internal/daemontest"
)

// compressed is a layer as a registry has it.
type compressed struct {
	partial.CompressedLayer
	content []byte
	kind    types.MediaType
}

func (c compressed) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(c.content))
	return h, err
}
func (c compressed) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(c.content)), nil
}
func (c compressed) Size() (int64, error)                { return int64(len(c.content)), nil }
func (c compressed) MediaType() (types.MediaType, error) { return c.kind, nil }

// layer returns a layer of empty files, compressed by a function.
func layer(t *testing.T, kind types.MediaType, compress func(io.Writer) io.WriteCloser, names ...string) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	z := compress(&b)
	w := tar.NewWriter(z)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := partial.CompressedToLayer(compressed{content: b.Bytes(), kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

func zstandard(w io.Writer) io.WriteCloser {
	z, err := zstd.NewWriter(w)
	if err != nil {
		panic(err) // of wrong options
	}
	return z
}

// files returns the paths of the files below a directory.
func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(dir, path)
			out = append(out, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Layers are applied in order, with their whiteouts, whatever their compression.
func TestUnpack(t *testing.T) {
	if os.Getuid() != 0 {
		daemontest.Require(t, os.ErrPermission, daemontest.Required())
	}
	image, err := mutate.AppendLayers(empty.Image,
		layer(t, types.OCILayer, gzipped, "a/one", "a/two", "b/one", "b/two"),
		layer(t, types.OCILayerZStd, zstandard, "a/.wh.one", "b/.wh..wh..opq", "b/three"),
	)
	if err != nil {
		t.Fatal(err)
	}
	s := NewStore(t.TempDir())
	dir, err := s.Unpack(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a/two", "b/three"}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("the image has the files %q, want %q", got, want)
	}
	// The next container finds the image unpacked, without a change of the first.
	root, err := New(dir, filepath.Join(t.TempDir(), "container"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root.Path, "a", "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := files(t, root.Path); !slices.Equal(got, []string{"a/mine", "a/two", "b/three"}) {
		t.Errorf("the container has the files %q", got)
	}
	if err := root.Remove(); err != nil {
		t.Fatal(err)
	}
	again, err := s.Unpack(t.Context(), image)
	if err != nil || again != dir {
		t.Errorf("unpacked again in %s, %v, want %s", again, err, dir)
	}
	if got := files(t, again); !slices.Equal(got, want) {
		t.Errorf("after a container, the image has the files %q, want %q", got, want)
	}
}

// An image that could not be unpacked is unpacked again the next time.
func TestUnpackAfterAFailure(t *testing.T) {
	good := layer(t, types.OCILayer, gzipped, "file")
	broken := &failsOnce{Layer: good}
	image, err := mutate.AppendLayers(empty.Image, broken)
	if err != nil {
		t.Fatal(err)
	}
	broken.armed = true
	s := NewStore(t.TempDir())
	if _, err := s.Unpack(t.Context(), image); err == nil {
		t.Fatal("a layer that cannot be read was unpacked")
	}
	dir, err := s.Unpack(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"file"}) {
		t.Errorf("the image has the files %q", got)
	}
}

// failsOnce is a layer that cannot be read the first time after it was armed.
type failsOnce struct {
	v1.Layer
	armed bool
}

func (f *failsOnce) Uncompressed() (io.ReadCloser, error) {
	if f.armed {
		f.armed = false
		return nil, io.ErrUnexpectedEOF
	}
	return f.Layer.Uncompressed()
}

// A root directory is a copy where there is no overlay.
func TestCopy(t *testing.T) {
	image := t.TempDir()
	if err := os.WriteFile(filepath.Join(image, "one"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	// overlay(5) takes a comma as the end of an option.
	root, err := New(image, filepath.Join(t.TempDir(), "with,comma"))
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, root.Path); root.mounted || !slices.Equal(got, []string{"one"}) {
		t.Errorf("%+v with the files %q is not a copy", root, got)
	}
	if err := root.Remove(); err != nil {
		t.Error(err)
	}
}
