package ecs

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// imageConfig is what matters of an image's config.
type imageConfig struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Config       struct {
		Labels map[string]string
	} `json:"config"`
}

// pulledImage is an image that a task got hold of.
type pulledImage struct {
	digest   string // that the reference stands for
	platform string // of the platform's manifest; the same unless digest is an index
	labels   map[string]string
}

// imageRef is a parsed image reference. Its registry is nil where no registry of
// the sandbox serves it.
type imageRef struct {
	text       string
	registry   Registry
	repository string
	tag        string
	digest     string
}

func (e *region) parseImage(text string) (imageRef, error) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return imageRef{}, pullError("invalid reference format: %s", text)
	}
	ref := imageRef{text: text, registry: e.registry(reference.Domain(named)), repository: reference.Path(named)}
	if d, ok := named.(reference.Digested); ok {
		ref.digest = d.Digest().String()
	} else if t, ok := reference.TagNameOnly(named).(reference.Tagged); ok {
		ref.tag = t.Tag()
	}
	return ref, nil
}

// pullError is a stopped task's reason, worded as in "Stopped tasks error
// messages" of the guide.
func pullError(format string, args ...any) error {
	return stopReasonf("CannotPullContainerError: "+format, args...)
}

// resolve is the digest that an image reference stands for at present. Images
// from elsewhere are taken to be there, each with a digest made up of its name.
func (e *region) resolve(text string) (string, error) {
	ref, err := e.parseImage(text)
	switch {
	case err != nil:
		return "", err
	case ref.digest != "":
		return ref.digest, nil
	case ref.registry == nil:
		return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(ref.text))), nil
	}
	found := ref.registry.Digest(ref.repository, ref.digest, ref.tag)
	if found == "" {
		return "", ref.notFound()
	}
	return found, nil
}

func (r imageRef) notFound() error {
	return pullError("pull image manifest has been retried 7 time(s): failed to resolve ref %s: %s: not found", r.text, r.text)
}

// pull gets an image for an architecture; a digest that is given decides, not
// the tag. The error is the task's stopped reason.
func (e *region) pull(text, digest, architecture string) (pulledImage, error) {
	ref, err := e.parseImage(text)
	if err != nil {
		return pulledImage{}, err
	}
	if ref.registry == nil {
		if digest == "" {
			digest, err = e.resolve(text)
		}
		return pulledImage{digest: digest, platform: digest}, err
	}
	if digest != "" {
		ref.tag, ref.digest = "", digest
		if named, err := reference.ParseNormalizedNamed(text); err == nil {
			ref.text = reference.TrimNamed(named).Name() + "@" + digest
		}
	}
	return e.pullFrom(ref, architecture)
}

func (e *region) pullFrom(ref imageRef, architecture string) (out pulledImage, err error) {
	digest, archived := ref.registry.Pull(ref.repository, ref.digest, ref.tag)
	switch {
	case digest == "":
		return out, ref.notFound()
	case archived:
		return out, pullError("pull image manifest has been retried 1 time(s): failed to resolve ref %s: "+
			"the image is archived: restore it to the standard storage class before you pull it", ref.text)
	}
	platform, config, err := e.platformOf(ref, digest, architecture)
	if err != nil {
		return out, err
	}
	return pulledImage{digest, platform, config.Config.Labels}, nil
}

// platformOf finds the manifest of an image for an architecture, by its index
// or, without an index, by its config. A config that names no architecture fits
// any.
func (e *region) platformOf(ref imageRef, digest, architecture string) (platform string, c imageConfig, err error) {
	mismatch := pullError("image Manifest does not contain descriptor matching platform 'linux/%s'", architecture)
	m, ok := e.manifest(ref, digest)
	if !ok {
		return "", c, ref.notFound()
	}
	if m.Config != nil {
		c, err = e.config(ref, digest, m)
		if err == nil && c.Architecture != "" && c.Architecture != architecture {
			err = mismatch
		}
		return digest, c, err
	}
	for _, d := range m.Manifests {
		if d.Platform == nil || d.Platform.Architecture != architecture || d.Platform.OS != "linux" {
			continue
		}
		child := d.Digest.String()
		m, ok := e.manifest(ref, child)
		if !ok || m.Config == nil {
			return "", c, pullError("image manifest %s of index %s: not found", d.Digest, digest)
		}
		c, err = e.config(ref, child, m)
		return child, c, err
	}
	return "", c, mismatch
}

// imageManifest is an image manifest, which has a config, or an index.
type imageManifest struct {
	Config    *v1.Descriptor  `json:"config"`
	Manifests []v1.Descriptor `json:"manifests"`
}

// manifest returns a manifest of a repository, false if there is none. Each is
// parsed once: the content of a digest never changes.
func (e *region) manifest(ref imageRef, digest string) (m imageManifest, ok bool) {
	raw := ref.registry.Manifest(ref.repository, digest)
	if raw == nil {
		return m, false
	}
	if m, ok = e.manifests[digest]; ok {
		return m, true
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, false
	}
	e.manifests[digest] = m
	return m, true
}

// config reads an image's config once; it never changes.
func (e *region) config(ref imageRef, digest string, m imageManifest) (c imageConfig, err error) {
	if c, ok := e.configs[digest]; ok {
		return c, nil
	}
	raw, err := ref.registry.Blob(background(), ref.repository, m.Config.Digest.String())
	if err != nil {
		return c, pullError("failed to copy the image's config: %v", err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, pullError("failed to read the image's config: %v", err)
	}
	e.configs[digest] = c
	return c, nil
}
