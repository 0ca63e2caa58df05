package solve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	digest "github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"slipway/build/target"
)

// saved is an image that `docker save` wrote, made ready for a registry in a directory of
// its own: each layer is compressed once, for its digest and for the push.
type saved struct {
	dir   string
	image v1.Image
}

func (s *saved) close() {
	// What the system does not remove now, it does when it clears its temporary files.
	_ = os.RemoveAll(s.dir)
}

// unpack reads the stream and gives the image the form that engines which push give it:
// an OCI manifest with the annotation of the inputs. The configuration is kept byte for
// byte, for an inline cache lies in it.
func unpack(ctx context.Context, stream io.Reader, c target.Compression, push target.Push) (*saved, error) {
	dir, err := os.MkdirTemp("", "slipway-push-")
	if err != nil {
		return nil, err
	}
	s := &saved{dir: dir}
	if err := s.fill(ctx, stream, c, push); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *saved) fill(ctx context.Context, stream io.Reader, c target.Compression, push target.Push) error {
	path := filepath.Join(s.dir, "image.tar")
	if err := writeAll(path, stream); err != nil {
		return err
	}
	image, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		return err
	}
	layers, err := s.compress(ctx, image, c)
	if err != nil {
		return err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	s.image, err = partial.CompressedToImage(newOCI(config, layers, push))
	return err
}

func writeAll(path string, from io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// compress writes the layers as compressed files, several at once.
func (s *saved) compress(ctx context.Context, image v1.Image, c target.Compression) ([]fileLayer, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	out := make([]fileLayer, len(layers))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(pushJobs)
	for i, layer := range layers {
		g.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			out[i], err = compressLayer(layer, c, filepath.Join(s.dir, "layer-"+strconv.Itoa(i)))
			return err
		})
	}
	return out, g.Wait()
}

// compressLayer writes one layer.
func compressLayer(layer v1.Layer, c target.Compression, path string) (fileLayer, error) {
	from, err := layer.Uncompressed()
	if err != nil {
		return fileLayer{}, err
	}
	defer from.Close()
	f, err := os.Create(path)
	if err != nil {
		return fileLayer{}, err
	}
	sum := digest.Canonical.Digester()
	z, err := compressor(c, io.MultiWriter(f, sum.Hash()))
	if err != nil {
		return fileLayer{}, errors.Join(err, f.Close())
	}
	_, err = io.Copy(z, from)
	if err := errors.Join(err, z.Close(), f.Close()); err != nil {
		return fileLayer{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return fileLayer{}, err
	}
	hash, err := v1.NewHash(sum.Digest().String())
	return fileLayer{path: path, hash: hash, size: info.Size(), mediaType: layerType(c)}, err
}

// compressor returns a writer that compresses a layer. The same layer gives the
// same bytes: gzip's header holds neither name nor time, and zstd's blocks do
// not depend on the number of writers.
func compressor(c target.Compression, to io.Writer) (io.WriteCloser, error) {
	if c == target.Zstd {
		return zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
	}
	return gzip.NewWriterLevel(to, target.GzipLevel)
}

// layerType returns the media type of a layer with that compression.
func layerType(c target.Compression) types.MediaType {
	if c == target.Zstd {
		return types.OCILayerZStd
	}
	return types.OCILayer
}

// fileLayer is a compressed layer in a file.
type fileLayer struct {
	path      string
	hash      v1.Hash
	size      int64
	mediaType types.MediaType
}

func (l fileLayer) Digest() (v1.Hash, error)            { return l.hash, nil }
func (l fileLayer) Size() (int64, error)                { return l.size, nil }
func (l fileLayer) MediaType() (types.MediaType, error) { return l.mediaType, nil }
func (l fileLayer) Compressed() (io.ReadCloser, error)  { return os.Open(l.path) }

// oci is an image of a configuration and compressed layers.
type oci struct {
	config   []byte
	manifest []byte
	layers   []fileLayer
}

func newOCI(config []byte, layers []fileLayer, push target.Push) oci {
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	sum := digest.FromBytes(config)
	m.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(config)), Digest: v1.Hash{Algorithm: sum.Algorithm().String(), Hex: sum.Encoded()}}
	m.Layers = []v1.Descriptor{} // JSON would hold null for nil
	for _, l := range layers {
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: l.mediaType, Size: l.size, Digest: l.hash})
	}
	if push.Inputs != "" {
		m.Annotations = map[string]string{target.InputsAnnotation: push.Inputs}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings, numbers and maps of them: cannot happen
	}
	return oci{config, raw, layers}
}

func (o oci) RawConfigFile() ([]byte, error)      { return o.config, nil }
func (o oci) RawManifest() ([]byte, error)        { return o.manifest, nil }
func (o oci) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// LayerByDigest finds a layer, or the configuration, as partial.CompressedToImage asks.
func (o oci) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, l := range o.layers {
		if l.hash == h {
			return l, nil
		}
	}
	return partial.ConfigLayer(o)
}
