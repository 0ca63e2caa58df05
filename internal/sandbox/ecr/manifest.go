package ecr

import (
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// manifestContent has the references of an image manifest, which are layers, or
// of an index, which are manifests.
type manifestContent struct {
	MediaType    string          `json:"mediaType"`
	ArtifactType string          `json:"artifactType"`
	Config       *v1.Descriptor  `json:"config"`
	Layers       []v1.Descriptor `json:"layers"`
	Manifests    []v1.Descriptor `json:"manifests"`
	Subject      *v1.Descriptor  `json:"subject"`
	Annotations  json.RawMessage `json:"annotations,omitempty"`
}

func parseManifest(raw []byte) (manifestContent, error) {
	var m manifestContent
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("must be a JSON manifest: %w", err)
	}
	if m.Config == nil && m.Manifests == nil {
		return m, errors.New("must be an image manifest or an index")
	}
	return m, nil
}

// blobs returns the digests of the blobs that must have been uploaded before.
// By their media type, some layers are kept elsewhere and need not be.
func (m manifestContent) blobs() []string {
	var out []string
	if m.Config != nil {
		out = append(out, m.Config.Digest.String())
	}
	for _, l := range m.Layers {
		if l.MediaType.IsDistributable() {
			out = append(out, l.Digest.String())
		}
	}
	return out
}

func (m manifestContent) children() []string {
	var out []string
	for _, c := range m.Manifests {
		out = append(out, c.Digest.String())
	}
	return out
}

func (m manifestContent) ownSize() int64 {
	var size int64
	if m.Config != nil {
		size = m.Config.Size
	}
	for _, l := range m.Layers {
		size += l.Size
	}
	return size
}

// artifactMediaType returns the type that the manifest gives its artifact, else
// the type of the config, as ECR does.
func (m manifestContent) artifactMediaType() string {
	switch {
	case m.ArtifactType != "":
		return m.ArtifactType
	case m.Config != nil:
		return string(m.Config.MediaType)
	default:
		return ""
	}
}
