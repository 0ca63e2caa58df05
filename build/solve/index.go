package solve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/platforms"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	digest "github.com/opencontainers/go-digest"

	"slipway/build/target"
)

// pushIndex pushes an index of what the engines pushed.
func (r *run) pushIndex(ctx context.Context, t target.Target, digests []string) (string, error) {
	pushed, err := r.pushStep(t.Service, func() (string, error) {
		push := r.options.Push[t.Service]
		first, err := digestIn(push, digests[0])
		if err != nil {
			return "", err
		}
		within, cancel := context.WithTimeoutCause(ctx, time.Duration(len(digests)+1)*manifestTime, errors.New("the registry did not answer in time"))
		defer cancel()
		options, err := r.remote(within, first.RegistryStr())
		if err != nil {
			return "", err
		}
		return pushIndex(push, t.Platforms, digests, options)
	})
	if err != nil {
		return "", r.failed(ctx, t, true, err)
	}
	return pushed, nil
}

// manifest is a document that a registry stores under its digest.
type manifest struct {
	raw  []byte
	kind types.MediaType
}

func (m manifest) RawManifest() ([]byte, error)        { return m.raw, nil }
func (m manifest) MediaType() (types.MediaType, error) { return m.kind, nil }

// pushIndex makes one index of images that are in the repository, one for each of the
// platforms, and pushes it by digest. The same images give the same index.
func pushIndex(push target.Push, wanted, digests []string, options []remote.Option) (string, error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	if push.Inputs != "" {
		index.Annotations = map[string]string{target.InputsAnnotation: push.Inputs}
	}
	for i, d := range digests {
		entries, err := indexEntries(push, wanted[i], d, options)
		if err != nil {
			return "", fmt.Errorf("reading the image for %s: %w", wanted[i], err)
		}
		index.Manifests = append(index.Manifests, entries...)
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return "", err
	}
	sum := digest.FromBytes(raw).String()
	ref, err := digestIn(push, sum)
	if err != nil {
		return "", err
	}
	return sum, remote.Put(ref, manifest{raw, types.OCIImageIndex}, options...)
}

// indexEntries are the image with its platform or, where the engine pushed an index, for
// attestations, all that it lists.
func indexEntries(push target.Push, platform, d string, options []remote.Option) ([]v1.Descriptor, error) {
	ref, err := digestIn(push, d)
	if err != nil {
		return nil, err
	}
	got, err := remote.Get(ref, options...)
	if err != nil {
		return nil, err
	}
	if got.MediaType.IsIndex() {
		var inner v1.IndexManifest
		err := json.Unmarshal(got.Manifest, &inner)
		return inner.Manifests, err
	}
	p, err := platforms.Parse(platform)
	if err != nil {
		return nil, err
	}
	return []v1.Descriptor{{
		MediaType: got.MediaType, Digest: got.Digest, Size: got.Size,
		Platform: &v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant},
	}}, nil
}
