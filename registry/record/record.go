// Package record encodes and decodes the record of a revision: an OCI image
// index whose only child is the image of one component, with annotations that
// say what the revision is. It makes no request.
//
// ECR neither expires nor archives an image while an index refers to it
// ("Lifecycle policy evaluation rules" in the ECR user guide). An image
// therefore stays as long as the record of one of its revisions.
package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// ArtifactType is the type of a record. No image has it.
const ArtifactType = "application/vnd.slipway.revision.v1"

// MediaType is that of a record's manifest.
const MediaType = ocispecs.MediaTypeImageIndex

// The annotations of a record, next to those of the OCI image specification.
// The times are in RFC 3339.
const (
	prefix              = "build.slipway.revision."
	annotationName      = prefix + "name"
	annotationProject   = prefix + "project"
	annotationCommitted = prefix + "committed"
	annotationAncestors = prefix + "ancestors"
	annotationStarted   = prefix + "started"
	annotationBuilder   = prefix + "builder"
	annotationVersion   = prefix + "slipway"
	annotationEngine    = prefix + "engine"
	annotationImages    = prefix + "components"
	annotationNames     = prefix + "names"
	annotationIndex     = prefix + "index"
)

// Record says what a revision is. It holds no secret.
type Record struct {
	// Revision is the name of the revision.
	Revision string
	// Project is the name of the project.
	Project string
	// Commit is the whole id of the commit, Committed its time, and Ancestors are
	// the commits before it, the newest first, as far as they are known. Empty
	// where the source is in no git repository.
	Commit    string
	Committed time.Time
	Ancestors []string
	// Made is when the record was made, and Started when its build began.
	Made, Started time.Time
	// Source is the place of the source, without a user or a password.
	Source string
	// Builder is the id of the CodeBuild build, or user@host.
	Builder string
	// Version is that of Slipway.
	Version string
	// Engine is the BuildKit that built; empty where nothing was built.
	Engine string
	// Components are those of the revision, in the order of the plan.
	Components []Component
	// Names are those of earlier revisions of the repository that had a record.
	Names []string
}

// Component is a component of a revision.
type Component struct {
	Service    string `json:"service"`
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
}

// Encode returns the manifest of the record with an image as its only child.
func (r Record) Encode(image ocispecs.Descriptor) ([]byte, error) {
	return r.encode([]ocispecs.Descriptor{image}, nil)
}

// EncodeFlat returns the manifest of the record for an index of several
// platforms, for a registry that refuses an index as the child of an index: its
// children are those of the index, and the bytes of the index are in an
// annotation.
func (r Record) EncodeFlat(index []byte) ([]byte, error) {
	var m ocispecs.Index
	if err := json.Unmarshal(index, &m); err != nil {
		return nil, fmt.Errorf("reading an image index: %w", err)
	}
	if len(m.Manifests) == 0 {
		return nil, errors.New("the image index has no manifest")
	}
	return r.encode(m.Manifests, index)
}

func (r Record) encode(children []ocispecs.Descriptor, index []byte) ([]byte, error) {
	components, err := json.Marshal(r.Components)
	if err != nil {
		return nil, err
	}
	annotations := map[string]string{annotationName: r.Revision, annotationImages: string(components)}
	for key, value := range map[string]string{
		ocispecs.AnnotationRevision: r.Commit, ocispecs.AnnotationSource: r.Source, ocispecs.AnnotationCreated: stamp(r.Made),
		annotationProject: r.Project, annotationCommitted: stamp(r.Committed), annotationAncestors: join(r.Ancestors),
		annotationStarted: stamp(r.Started), annotationBuilder: r.Builder, annotationVersion: r.Version,
		annotationEngine: r.Engine, annotationNames: join(r.Names), annotationIndex: string(index),
	} {
		if value != "" {
			annotations[key] = value
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(ocispecs.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: MediaType, ArtifactType: ArtifactType,
		Manifests: children, Annotations: annotations,
	})
	return bytes.TrimSpace(b.Bytes()), err
}

// Is reports whether a manifest is that of a record.
func Is(manifest []byte) bool {
	if !bytes.Contains(manifest, []byte(ArtifactType)) {
		return false // most are not, and need not be read
	}
	var m struct {
		ArtifactType string `json:"artifactType"`
	}
	return json.Unmarshal(manifest, &m) == nil && m.ArtifactType == ArtifactType
}

// Image is the image that a record refers to.
type Image struct {
	// Digest is that of the image, an index included.
	Digest string
	// Index is the manifest of the index, where the record refers to its
	// manifests in place of the index; nil elsewhere.
	Index []byte
}

// Decode returns the record of a manifest, and its image.
func Decode(manifest []byte) (Record, Image, error) {
	var m ocispecs.Index
	if err := json.Unmarshal(manifest, &m); err != nil {
		return Record{}, Image{}, fmt.Errorf("reading the record of a revision: %w", err)
	}
	a := m.Annotations
	if m.ArtifactType != ArtifactType || a[annotationName] == "" || len(m.Manifests) == 0 {
		return Record{}, Image{}, errors.New("reading the record of a revision: the manifest is not a record")
	}
	r := Record{
		Revision: a[annotationName], Project: a[annotationProject],
		Commit: a[ocispecs.AnnotationRevision], Source: a[ocispecs.AnnotationSource],
		Builder: a[annotationBuilder], Version: a[annotationVersion], Engine: a[annotationEngine],
		Ancestors: split(a[annotationAncestors]), Names: split(a[annotationNames]),
	}
	var errs [4]error
	r.Made, errs[0] = moment(a[ocispecs.AnnotationCreated])
	r.Started, errs[1] = moment(a[annotationStarted])
	r.Committed, errs[2] = moment(a[annotationCommitted])
	errs[3] = json.Unmarshal([]byte(a[annotationImages]), &r.Components)
	if err := errors.Join(errs[:]...); err != nil {
		return Record{}, Image{}, fmt.Errorf("reading the record of revision %s: %w", strconv.Quote(r.Revision), err)
	}
	if index := a[annotationIndex]; index != "" {
		return r, Image{digest.FromString(index).String(), []byte(index)}, nil
	}
	return r, Image{Digest: m.Manifests[0].Digest.String()}, nil
}
