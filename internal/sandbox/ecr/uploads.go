package ecr

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"

	"slipway/internal/sandbox/awsapi"
)

// maxLayerPart is the largest part of a layer, in bytes (UploadLayerPart in the
// ECR API reference, layerPartBlob).
const maxLayerPart = 20971520

// layerUpload is a layer that is being uploaded with the ECR API.
type layerUpload struct {
	repository string
	data       []byte
}

type uploadOut struct {
	target
	UploadID string `json:"uploadId"`
	PartSize int64  `json:"partSize"`
}

// initiateLayerUpload starts the upload of a layer.
func (s *Registries) initiateLayerUpload(c awsapi.Call, in target) (out uploadOut, err error) {
	err = s.locked(c, in, func(g *Registry, r *repository) error {
		id := rand.Text()
		g.uploads[id] = &layerUpload{repository: r.name}
		out = uploadOut{target{g.Account, r.name}, id, maxLayerPart / 2}
		return nil
	})
	return out, err
}

type uploadPartIn struct {
	target
	UploadID      string `json:"uploadId"`
	PartFirstByte int    `json:"partFirstByte"`
	PartLastByte  int    `json:"partLastByte"`
	LayerPartBlob []byte `json:"layerPartBlob"`
}

type uploadPartOut struct {
	target
	UploadID         string `json:"uploadId"`
	LastByteReceived int    `json:"lastByteReceived"`
}

// uploadLayerPart adds a part at the end of what was uploaded.
func (s *Registries) uploadLayerPart(c awsapi.Call, in uploadPartIn) (out uploadPartOut, err error) {
	if n := len(in.LayerPartBlob); n == 0 || n > maxLayerPart {
		return out, awsapi.InvalidParameter("layerPartBlob", fmt.Sprintf("must have length between 1 and %d", maxLayerPart))
	}
	err = s.locked(c, in.target, func(g *Registry, r *repository) error {
		u, err := g.upload(r, in.UploadID)
		if err != nil {
			return err
		}
		if in.PartFirstByte != len(u.data) || in.PartLastByte != len(u.data)+len(in.LayerPartBlob)-1 {
			return awsapi.Errorf("InvalidLayerPartException",
				"Layer part upload for repository with name '%s' in registry with id '%s' has an unexpected first or last byte", r.name, g.Account)
		}
		u.data = append(u.data, in.LayerPartBlob...)
		out = uploadPartOut{target{g.Account, r.name}, in.UploadID, in.PartLastByte}
		return nil
	})
	return out, err
}

// upload returns an upload of a repository; the caller holds mu.
func (g *Registry) upload(r *repository, id string) (*layerUpload, error) {
	u := g.uploads[id]
	if u == nil || u.repository != r.name {
		return nil, awsapi.Errorf("UploadNotFoundException",
			"An upload with id '%s' for the repository with name '%s' in the registry with id '%s' does not exist", id, r.name, g.Account)
	}
	return u, nil
}

type completeUploadIn struct {
	target
	UploadID     string   `json:"uploadId"`
	LayerDigests []string `json:"layerDigests"`
}

type completeUploadOut struct {
	target
	UploadID    string `json:"uploadId"`
	LayerDigest string `json:"layerDigest"`
}

// completeLayerUpload checks the digest of a layer and stores the layer.
func (s *Registries) completeLayerUpload(c awsapi.Call, in completeUploadIn) (out completeUploadOut, err error) {
	if len(in.LayerDigests) != 1 || !digestPattern.MatchString(in.LayerDigests[0]) {
		return out, awsapi.InvalidParameter("layerDigests", "must be one digest")
	}
	digest := in.LayerDigests[0]
	var g *Registry
	var data []byte
	err = s.locked(c, in.target, func(found *Registry, r *repository) error {
		u, err := found.upload(r, in.UploadID)
		if err != nil {
			return err
		}
		g, data = found, u.data
		switch {
		case len(data) == 0:
			return awsapi.Errorf("EmptyUploadException", "The specified layer upload does not contain any layer parts.")
		case digestOf(data) != digest:
			return awsapi.Errorf("InvalidLayerException", "The layer digest calculation performed by Amazon ECR upon receipt of the image layer does not match the digest specified.")
		}
		delete(g.uploads, in.UploadID)
		return nil
	})
	if err != nil {
		return out, err
	}
	if err := g.storeLayer(c.Context, in.RepositoryName, digest, data); err != nil {
		return out, err
	}
	return completeUploadOut{target{g.Account, in.RepositoryName}, in.UploadID, digest}, nil
}

// storeLayer stores a layer, unless the repository has it.
func (g *Registry) storeLayer(ctx context.Context, repository, digest string, data []byte) error {
	size, err := g.blobs.blobSize(ctx, repository, digest)
	if err != nil {
		return err
	}
	if size >= 0 {
		return awsapi.Errorf("LayerAlreadyExistsException",
			"The layer with digest '%s' already exists in the repository with name '%s' in registry with id '%s'", digest, repository, g.Account)
	}
	return g.blobs.putBlob(ctx, repository, digest, data)
}

// putBlob stores a small blob under its digest.
func (b *blobStore) putBlob(ctx context.Context, repository, digest string, data []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/v2/"+repository+"/blobs/uploads/", http.NoBody)
	if err != nil {
		return err
	}
	started := newAnswer()
	b.ServeHTTP(started, r)
	if r, err = http.NewRequestWithContext(ctx, http.MethodPut, started.header.Get("Location"), bytes.NewReader(data)); err != nil {
		return err
	}
	query := r.URL.Query()
	query.Set("digest", digest)
	r.URL.RawQuery = query.Encode()
	a := newAnswer()
	b.ServeHTTP(a, r)
	if a.status != http.StatusCreated {
		return fmt.Errorf("storing blob %s: status %d: %s", digest, a.status, &a.body)
	}
	return nil
}
