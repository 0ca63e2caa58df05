package inputs

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/util/imageutil"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"slipway/internal/bounded"
)

// layout is a directory of this host in the OCI image layout.
type layout string

var _ content.Provider = layout("")

// config returns the configuration of the image for a platform, of which the
// digest names the manifest or the index.
func (l layout) config(ctx context.Context, dgst digest.Digest, p ocispecs.Platform) ([]byte, error) {
	text, err := l.blob(ctx, dgst)
	if err != nil {
		return nil, err
	}
	mediaType, err := imageutil.DetectManifestBlobMediaType(text)
	if err != nil {
		return nil, err
	}
	image := ocispecs.Descriptor{Digest: dgst, Size: int64(len(text)), MediaType: mediaType}
	config, err := images.Config(ctx, l, image, platforms.Only(p))
	if err != nil {
		return nil, err
	}
	return l.blob(ctx, config.Digest)
}

// blob returns a manifest or a configuration. Files with other content than
// their names say are refused.
func (l layout) blob(ctx context.Context, dgst digest.Digest) ([]byte, error) {
	if err := dgst.Validate(); err != nil {
		return nil, err
	}
	path := filepath.Join(string(l), "blobs", dgst.Algorithm().String(), dgst.Encoded())
	text, err := bounded.ReadFile(ctx, path, maxRead)
	if err != nil {
		return nil, err
	}
	if got := dgst.Algorithm().FromBytes(text); got != dgst {
		return nil, fmt.Errorf("%s has the digest %s", path, got)
	}
	return text, nil
}

// ReaderAt returns a reader of a manifest or a configuration.
func (l layout) ReaderAt(ctx context.Context, d ocispecs.Descriptor) (content.ReaderAt, error) {
	text, err := l.blob(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	return blobReader{bytes.NewReader(text)}, nil
}

// blobReader is a blob in memory.
type blobReader struct{ *bytes.Reader }

// Close does nothing.
func (blobReader) Close() error { return nil }
