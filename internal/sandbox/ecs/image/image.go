// Package image resolves and pulls the images of tasks, as ECS does.
package image

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/internal/sandbox/ecs/taskdef"
)

// Registry is a registry of ECR as ECS needs it. A digest, a tag or both name
// an image of a repository.
type Registry interface {
	// Digest returns the digest of an image, "" if there is none.
	Digest(repository, digest, tag string) string
	// Pull is Digest for an image that is about to be pulled. An archived image
	// cannot be pulled.
	Pull(repository, digest, tag string) (found string, archived bool)
	// Manifest returns the manifest of an image, nil if there is none.
	Manifest(repository, digest string) []byte
	// Blob returns a blob of a repository.
	Blob(ctx context.Context, repository, digest string) ([]byte, error)
}

// config is the part of an image's config that ECS uses.
type config struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Config       struct {
		Labels map[string]string
	} `json:"config"`
}

// Image is an image that a task has pulled.
type Image struct {
	Digest   string // that the reference stands for
	Platform string // of the platform's manifest; the same unless digest is an index
	Labels   map[string]string
	Local    bool // a registry of the sandbox has it
}

// Puller resolves and pulls images. Images from elsewhere than the registries
// are taken to exist. A Puller is not safe for concurrent use.
type Puller struct {
	registry  func(host string) Registry
	manifests map[string]manifest // by digest
	configs   map[string]config   // of image manifests, by their digests
}

// New returns a puller. registry returns the registry that serves a
// host's images, nil for none.
func New(registry func(host string) Registry) *Puller {
	return &Puller{registry: registry, manifests: map[string]manifest{}, configs: map[string]config{}}
}

// ref is a parsed image reference. Its registry is nil where no registry of
// the sandbox serves it.
type ref struct {
	text       string
	registry   Registry
	repository string
	tag        string
	digest     string
}

func (p *Puller) parseImage(text string) (ref, error) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return ref{}, pullError("invalid reference format: %s", text)
	}
	ref := ref{text: text, registry: p.registry(reference.Domain(named)), repository: reference.Path(named)}
	if d, ok := named.(reference.Digested); ok {
		ref.digest = d.Digest().String()
	} else if t, ok := reference.TagNameOnly(named).(reference.Tagged); ok {
		ref.tag = t.Tag()
	}
	return ref, nil
}

// hostECR is the host of a registry of ECR.
var hostECR = regexp.MustCompile(`^[0-9]{12}\.dkr[.-]ecr(-fips)?\.`)

// OfECR reports whether an image is in a registry of ECR, of the sandbox or not.
func (p *Puller) OfECR(text string) bool {
	ref, err := p.parseImage(text)
	return err == nil && (ref.registry != nil || hostECR.MatchString(text))
}

// pullError returns the reason of a stopped task, in the words of "Stopped
// tasks error messages" in the guide.
func pullError(format string, args ...any) error {
	return fmt.Errorf("CannotPullContainerError: "+format, args...)
}

// Resolve returns the digest that an image reference stands for at present. An
// image from elsewhere has a digest made of its name.
func (p *Puller) Resolve(text string) (string, error) {
	ref, err := p.parseImage(text)
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

// Pin returns the digests that the images of containers stand for at present,
// by container. It leaves out those that opted out, and an image that does not
// exist: the first task will fail for it.
func (p *Puller) Pin(containers []taskdef.Container) map[string]string {
	out := map[string]string{}
	for _, c := range containers {
		if c.VersionConsistency == "disabled" {
			continue
		}
		if digest, err := p.Resolve(c.Image); err == nil {
			out[c.Name] = digest
		}
	}
	return out
}

// LacksCapacity reports whether a container is instructed to find no capacity.
// It reads the labels of images by their digests, before a task pulls them.
func (p *Puller) LacksCapacity(d taskdef.Settings, pinned map[string]string) bool {
	return slices.ContainsFunc(d.Containers, func(c taskdef.Container) bool {
		image, err := p.Pull(c.Image, pinned[c.Name], d.Architecture())
		labels := image.Labels
		if err != nil {
			labels = nil
		}
		return c.Instruction("capacity", labels) == "none"
	})
}

func (r ref) notFound() error {
	return pullError("pull image manifest has been retried 7 time(s): failed to resolve ref %s: %s: not found",
		r.text, r.text)
}

// Pull pulls an image for an architecture, by the digest if one is given, else
// by the reference. The error is the reason of a stopped task.
func (p *Puller) Pull(text, digest, architecture string) (Image, error) {
	ref, err := p.parseImage(text)
	if err != nil {
		return Image{}, err
	}
	if ref.registry == nil {
		if digest == "" {
			digest, err = p.Resolve(text)
		}
		return Image{Digest: digest, Platform: digest}, err
	}
	if digest != "" {
		ref.tag, ref.digest = "", digest
		if named, err := reference.ParseNormalizedNamed(text); err == nil {
			ref.text = reference.TrimNamed(named).Name() + "@" + digest
		}
	}
	return p.pullFrom(ref, architecture)
}

func (p *Puller) pullFrom(ref ref, architecture string) (out Image, err error) {
	digest, archived := ref.registry.Pull(ref.repository, ref.digest, ref.tag)
	switch {
	case digest == "":
		return out, ref.notFound()
	case archived:
		return out, pullError("pull image manifest has been retried 1 time(s): failed to resolve ref %s: "+
			"the image is archived: restore it to the standard storage class before you pull it", ref.text)
	}
	platform, config, err := p.platformOf(ref, digest, architecture)
	if err != nil {
		return out, err
	}
	return Image{digest, platform, config.Config.Labels, true}, nil
}

// platformOf finds the manifest of an image for an architecture, by its index
// or, without an index, by its config. A config that names no architecture fits
// any.
func (p *Puller) platformOf(ref ref, digest, architecture string) (platform string, c config, err error) {
	mismatch := pullError("image Manifest does not contain descriptor matching platform 'linux/%s'", architecture)
	m, ok := p.manifest(ref, digest)
	if !ok {
		return "", c, ref.notFound()
	}
	if m.Config != nil {
		c, err = p.config(ref, digest, m)
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
		m, ok := p.manifest(ref, child)
		if !ok || m.Config == nil {
			return "", c, pullError("image manifest %s of index %s: not found", d.Digest, digest)
		}
		c, err = p.config(ref, child, m)
		return child, c, err
	}
	return "", c, mismatch
}

// manifest is an image manifest, which has a config, or an index.
type manifest struct {
	Config    *v1.Descriptor  `json:"config"`
	Manifests []v1.Descriptor `json:"manifests"`
}

// manifest returns a manifest of a repository, false if there is none. Each is
// parsed once: the content of a digest never changes.
func (p *Puller) manifest(ref ref, digest string) (m manifest, ok bool) {
	raw := ref.registry.Manifest(ref.repository, digest)
	if raw == nil {
		return m, false
	}
	if m, ok = p.manifests[digest]; ok {
		return m, true
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, false
	}
	p.manifests[digest] = m
	return m, true
}

// config returns an image's config, which it reads once: it never changes.
func (p *Puller) config(ref ref, digest string, m manifest) (c config, err error) {
	if c, ok := p.configs[digest]; ok {
		return c, nil
	}
	raw, err := ref.registry.Blob(context.Background(), ref.repository, m.Config.Digest.String())
	if err != nil {
		return c, pullError("failed to copy the image's config: %v", err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, pullError("failed to read the image's config: %v", err)
	}
	p.configs[digest] = c
	return c, nil
}
