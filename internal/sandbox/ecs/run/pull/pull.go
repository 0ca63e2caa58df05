// Package pull reads images from the sandbox's registries, or pulls them from
// others.
package pull

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/internal/sandbox/ecs/image"
)

// Image returns the image that a reference names, for an architecture. With a
// digest, which is of the platform's manifest, the registry that serves the
// reference's host has it. Otherwise the image is pulled, without credentials.
func Image(ctx context.Context, registry func(host string) image.Registry, ref, digest, architecture string) (v1.Image, error) {
	if digest == "" {
		return elsewhere(ctx, ref, architecture)
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, err
	}
	r, repository := registry(reference.Domain(named)), reference.Path(named)
	var manifest []byte
	if r != nil {
		manifest = r.Manifest(repository, digest)
	}
	if manifest == nil {
		return nil, fmt.Errorf("%s@%s: not found", ref, digest)
	}
	return partial.CompressedToImage(&held{ctx, r, repository, manifest})
}

func elsewhere(ctx context.Context, ref, architecture string) (v1.Image, error) {
	named, err := reference.ParseDockerRef(ref)
	if err != nil {
		return nil, err
	}
	parsed, err := name.ParseReference(named.String())
	if err != nil {
		return nil, err
	}
	return remote.Image(parsed, remote.WithContext(ctx), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: architecture}))
}

// held is an image in a registry of the sandbox. The context is that of the pull,
// during which all of it is read.
type held struct {
	ctx        context.Context
	registry   image.Registry
	repository string
	manifest   []byte
}

func (h *held) RawManifest() ([]byte, error) { return h.manifest, nil }

func (h *held) MediaType() (types.MediaType, error) {
	var m struct {
		MediaType types.MediaType `json:"mediaType"`
	}
	err := json.Unmarshal(h.manifest, &m)
	if m.MediaType == "" {
		m.MediaType = types.OCIManifestSchema1
	}
	return m.MediaType, err
}

func (h *held) RawConfigFile() ([]byte, error) {
	m, err := partial.Manifest(h)
	if err != nil {
		return nil, err
	}
	return h.registry.Blob(h.ctx, h.repository, m.Config.Digest.String())
}

func (h *held) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	m, err := partial.Manifest(h)
	if err != nil {
		return nil, err
	}
	for _, d := range m.Layers {
		if d.Digest == digest {
			return &layer{h, d}, nil
		}
	}
	return nil, fmt.Errorf("the image has no layer %s", digest)
}

type layer struct {
	image      *held
	descriptor v1.Descriptor
}

func (l *layer) Digest() (v1.Hash, error)            { return l.descriptor.Digest, nil }
func (l *layer) Size() (int64, error)                { return l.descriptor.Size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }
func (l *layer) Compressed() (io.ReadCloser, error) {
	b, err := l.image.registry.Blob(l.image.ctx, l.image.repository, l.descriptor.Digest.String())
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}
