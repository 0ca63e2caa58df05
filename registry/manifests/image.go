// Package manifests reads the images of ECR repositories with their manifests.
package manifests

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"slipway/registry"
	"slipway/registry/record"
)

// Image is an image of a repository, with the very bytes of its manifest.
type Image struct {
	// Digest is the manifest's, sha256:….
	Digest string
	// MediaType is the manifest's.
	MediaType string
	// Manifest is the manifest as ECR stores it: moving a tag puts these bytes
	// again.
	Manifest string
}

// Annotation returns the value of a manifest annotation, empty when there is none.
func (i Image) Annotation(key string) string {
	var m struct {
		Annotations map[string]string `json:"annotations"`
	}
	if json.Unmarshal([]byte(i.Manifest), &m) != nil {
		return "" // text that is not JSON has no annotations
	}
	return m.Annotations[key]
}

// UnreadableError is an image that is there and cannot be read.
type UnreadableError struct {
	Repository registry.Repository
	// Image is the tag or the digest.
	Image  string
	Code   types.ImageFailureCode
	Reason string
}

// Archived reports whether the image is in the archive. ECR keeps such an image
// and does not return its manifest ("Archiving images" in the ECR user guide).
func (e *UnreadableError) Archived() bool {
	return e.Code == types.ImageFailureCodeImageInaccessible
}

// Error names the image and ECR's reason.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("reading image %s of %s: %s: %s", e.Image, e.Repository.Name, e.Code, e.Reason)
}

// Content is the part of an image manifest or an index that matters here.
type Content struct {
	MediaType string       `json:"mediaType"`
	Config    Descriptor   `json:"config"`
	Layers    []Descriptor `json:"layers"`
	Manifests []Descriptor `json:"manifests"`
	// ArtifactType is the type of an artifact; empty for most images.
	ArtifactType string `json:"artifactType"`
}

// Descriptor is a reference of a manifest.
type Descriptor struct {
	MediaType   string             `json:"mediaType"`
	Digest      string             `json:"digest"`
	Size        int64              `json:"size"`
	Platform    *ocispecs.Platform `json:"platform"`
	Annotations map[string]string  `json:"annotations"`
}

// IsAttestation reports whether a manifest of an index is an attestation of
// another one ("Image attestation storage" in the BuildKit documentation).
func (d Descriptor) IsAttestation() bool {
	return d.Annotations["vnd.docker.reference.type"] == "attestation-manifest"
}

// Content returns the content of the manifest, empty for one that is not JSON.
func (i Image) Content() Content {
	var m Content
	if json.Unmarshal([]byte(i.Manifest), &m) != nil {
		return Content{}
	}
	return m
}

// Children returns the manifests that an index refers to.
func (i Image) Children() []string {
	var out []string
	for _, d := range i.Content().Manifests {
		out = append(out, d.Digest)
	}
	return out
}

// Platforms returns the images of an index, one for each platform, without their
// attestations; none for a manifest that is not an index.
func (i Image) Platforms() []Descriptor {
	return slices.DeleteFunc(i.Content().Manifests, Descriptor.IsAttestation)
}

// Digests returns the digests by which a task of ECS may report the image: its
// own first, then those of an index's platforms.
func (i Image) Digests() []string {
	out := []string{i.Digest}
	for _, d := range i.Platforms() {
		out = append(out, d.Digest)
	}
	return out
}

// IsRecord reports whether the image is the record of a revision.
func (i Image) IsRecord() bool { return record.Is([]byte(i.Manifest)) }

// IsCache reports whether the image is a layer cache: BuildKit marks
// its configuration ("application/vnd.buildkit.cacheconfig.v0" in its remote
// cache package).
func (i Image) IsCache() bool {
	return strings.Contains(i.Manifest, `"application/vnd.buildkit.cacheconfig.`)
}

// New returns an image of an answer.
func New(i types.Image) Image {
	return Image{Digest: aws.ToString(i.ImageId.ImageDigest), MediaType: aws.ToString(i.ImageManifestMediaType), Manifest: aws.ToString(i.ImageManifest)}
}

// Parts returns the sizes of an image's layers and configuration by digest, for an index
// those of all its images; false if a manifest is not known.
func Parts(digest string, known func(digest string) (Image, bool)) (map[string]int64, bool) {
	image, ok := known(digest)
	if !ok {
		return nil, false
	}
	m := image.Content()
	out := map[string]int64{}
	for _, d := range append(m.Layers, m.Config) {
		if d.Digest != "" {
			out[d.Digest] = d.Size
		}
	}
	for _, d := range m.Manifests {
		child, ok := Parts(d.Digest, known)
		if !ok {
			return nil, false
		}
		maps.Copy(out, child)
	}
	return out, true
}
