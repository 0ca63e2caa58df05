package ecr

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"slipway/internal/sandbox/awsapi"
)

type batchCheckLayersIn struct {
	target
	LayerDigests []string `json:"layerDigests"`
}

type layerOut struct {
	LayerDigest       string `json:"layerDigest"`
	LayerAvailability string `json:"layerAvailability"`
	LayerSize         int64  `json:"layerSize,omitempty"`
	MediaType         string `json:"mediaType,omitempty"`
}

type layerFailure struct {
	LayerDigest   string `json:"layerDigest"`
	FailureCode   string `json:"failureCode"`
	FailureReason string `json:"failureReason"`
}

type batchCheckLayersOut struct {
	Layers   []layerOut     `json:"layers"`
	Failures []layerFailure `json:"failures"`
}

func (s *Registries) batchCheckLayerAvailability(c awsapi.Call, in batchCheckLayersIn) (batchCheckLayersOut, error) {
	out := batchCheckLayersOut{Layers: []layerOut{}, Failures: []layerFailure{}}
	if len(in.LayerDigests) < 1 || len(in.LayerDigests) > 100 {
		return out, awsapi.InvalidParameter("layerDigests", "must have length between 1 and 100")
	}
	var g *Registry
	mediaTypes := map[string]string{}
	err := s.locked(c, in.target, func(found *Registry, r *repository) error {
		g = found
		for _, i := range r.images {
			for _, l := range i.content.Layers {
				mediaTypes[l.Digest.String()] = string(l.MediaType)
			}
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	for _, digest := range in.LayerDigests {
		if !digestPattern.MatchString(digest) {
			out.Failures = append(out.Failures, layerFailure{digest, "InvalidLayerDigest", "Invalid layer digest"})
			continue
		}
		size, err := g.blobs.blobSize(c.Context, in.RepositoryName, digest)
		if err != nil {
			return out, err
		}
		layer := layerOut{digest, "AVAILABLE", size, mediaTypes[digest]}
		if size < 0 {
			layer = layerOut{LayerDigest: digest, LayerAvailability: "UNAVAILABLE"}
		}
		out.Layers = append(out.Layers, layer)
	}
	return out, nil
}

type downloadURLIn struct {
	target
	LayerDigest string `json:"layerDigest"`
}

type downloadURLOut struct {
	LayerDigest string `json:"layerDigest"`
	DownloadURL string `json:"downloadUrl"`
}

// getDownloadURLForLayer returns the layer's URL on the registry, with a
// signature: as ECR's, it needs no login.
func (s *Registries) getDownloadURLForLayer(c awsapi.Call, in downloadURLIn) (downloadURLOut, error) {
	if !digestPattern.MatchString(in.LayerDigest) {
		return downloadURLOut{}, awsapi.InvalidParameter("layerDigest", "must satisfy the pattern of a digest")
	}
	var g *Registry
	err := s.locked(c, in.target, func(found *Registry, _ *repository) error {
		g = found
		return nil
	})
	if err != nil {
		return downloadURLOut{}, err
	}
	size, err := g.blobs.blobSize(c.Context, in.RepositoryName, in.LayerDigest)
	if err != nil {
		return downloadURLOut{}, err
	}
	if size < 0 {
		return downloadURLOut{}, awsapi.Errorf("LayersNotFoundException",
			"The layer with digest '%s' does not exist in the repository with name '%s'", in.LayerDigest, in.RepositoryName)
	}
	path := "/v2/" + in.RepositoryName + "/blobs/" + in.LayerDigest
	return downloadURLOut{in.LayerDigest, "http://" + g.host + path + "?" + signatureParameter + "=" + g.signature(path)}, nil
}

// signatureParameter is the parameter of a signed URL of S3 that has the
// signature.
const signatureParameter = "X-Amz-Signature"

func (g *Registry) signature(path string) string {
	h := hmac.New(sha256.New, g.key)
	h.Write([]byte(path))
	return hex.EncodeToString(h.Sum(nil))
}

// signed reports whether a request is for a URL of getDownloadURLForLayer.
func (g *Registry) signed(r *http.Request) bool {
	given := r.URL.Query().Get(signatureParameter)
	return r.Method == http.MethodGet && hmac.Equal([]byte(given), []byte(g.signature(r.URL.Path)))
}
