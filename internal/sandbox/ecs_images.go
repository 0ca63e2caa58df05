package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/distribution/reference"
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

// imageRef is an image reference, understood. Its repository is nil where no
// registry of the sandbox serves it.
type imageRef struct {
	text       string
	registry   *registry
	repository string
	tag        string
	digest     string
}

func (e *ecs) parseImage(text string) (imageRef, error) {
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
func (e *ecs) resolve(text string) (string, error) {
	ref, err := e.parseImage(text)
	switch {
	case err != nil:
		return "", err
	case ref.digest != "":
		return ref.digest, nil
	case ref.registry == nil:
		return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(ref.text))), nil
	}
	ref.registry.mu.Lock()
	defer ref.registry.mu.Unlock()
	i := ref.registry.image(ref)
	if i == nil {
		return "", ref.notFound()
	}
	return i.digest, nil
}

// image finds what a reference names; the caller holds mu.
func (g *registry) image(ref imageRef) *image {
	r := g.repositories[ref.repository]
	if r == nil {
		return nil
	}
	return r.find(ref.digest, ref.tag)
}

func (r imageRef) notFound() error {
	return pullError("pull image manifest has been retried 7 time(s): failed to resolve ref %s: %s: not found", r.text, r.text)
}

// pull gets an image for an architecture; a digest that is given decides, not
// the tag. The error is the task's stopped reason.
func (e *ecs) pull(text, digest, architecture string) (pulledImage, error) {
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

func (e *ecs) pullFrom(ref imageRef, architecture string) (out pulledImage, err error) {
	g := ref.registry
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.image(ref)
	switch {
	case i == nil:
		return out, ref.notFound()
	case i.archived:
		return out, pullError("pull image manifest has been retried 1 time(s): failed to resolve ref %s: "+
			"the image is archived: restore it to the standard storage class before you pull it", ref.text)
	}
	i.pulledAt = g.clock.Now()
	platform, config, err := e.platformOf(g, ref.repository, i, architecture)
	if err != nil {
		return out, err
	}
	return pulledImage{i.digest, platform, config.Config.Labels}, nil
}

// platformOf finds the manifest of an image for an architecture, by its index
// or, where there is none, its config; a config that names no architecture
// will do for any. The caller holds the registry's mu.
func (e *ecs) platformOf(g *registry, repository string, i *image, architecture string) (digest string, c imageConfig, err error) {
	mismatch := pullError("image Manifest does not contain descriptor matching platform 'linux/%s'", architecture)
	if i.content.Config != nil {
		c, err = e.config(g, repository, i)
		if err == nil && c.Architecture != "" && c.Architecture != architecture {
			err = mismatch
		}
		return i.digest, c, err
	}
	for _, m := range i.content.Manifests {
		if m.Platform == nil || m.Platform.Architecture != architecture || m.Platform.OS != "linux" {
			continue
		}
		child := g.repositories[repository].images[m.Digest.String()]
		if child == nil || child.content.Config == nil {
			return "", c, pullError("image manifest %s of index %s: not found", m.Digest, i.digest)
		}
		c, err = e.config(g, repository, child)
		return child.digest, c, err
	}
	return "", c, mismatch
}

// config reads an image's config once; it never changes.
func (e *ecs) config(g *registry, repository string, i *image) (imageConfig, error) {
	if c, ok := e.configs[i.digest]; ok {
		return c, nil
	}
	raw, err := g.blobs.blob(background(), repository, i.content.Config.Digest.String())
	if err != nil {
		return imageConfig{}, pullError("failed to copy the image's config: %v", err)
	}
	var c imageConfig
	if err := json.Unmarshal(raw, &c); err != nil {
		return imageConfig{}, pullError("failed to read the image's config: %v", err)
	}
	e.configs[i.digest] = c
	return c, nil
}

var errNoBlob = errors.New("blob unknown to registry")

// blob reads a small blob.
func (b *blobStore) blob(ctx context.Context, repository, digest string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/v2/"+repository+"/blobs/"+digest, http.NoBody)
	if err != nil {
		return nil, err
	}
	a := newAnswer()
	b.ServeHTTP(a, r)
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("%s: %w", digest, errNoBlob)
	}
	return a.body.Bytes(), nil
}
