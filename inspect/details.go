package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"slipway/build/inputs"
	"slipway/registry/admission"
	"slipway/registry/blobs"
	"slipway/registry/manifests"
	"slipway/registry/referrers"
)

// Details are read from the image itself, from what refers to it, and from ECR.
type Details struct {
	// Platforms are the images for each platform, one for an image that is not an
	// index; null where they are not known.
	Platforms []Platform `json:"platforms"`
	// BaseImages are those of the recorded inputs; null where these are not known.
	BaseImages []inputs.BaseImage `json:"baseImages"`
	// Signatures are those of ECR's managed signing, empty for an image that no rule
	// signs; null where they are not known.
	Signatures []admission.Signing `json:"signatures"`
	// inputs are the recorded inputs, nil where they are not known.
	inputs *inputs.Record
}

// Platform is an image for one platform.
type Platform struct {
	// Platform is such as linux/amd64; empty where it is not known.
	Platform string         `json:"platform,omitempty"`
	Digest   string         `json:"digest"`
	Scan     admission.Scan `json:"scan"`
}

// details reads the details of one image.
func (r *reader) details(ctx context.Context, c *Component) Details {
	d := Details{Platforms: r.platforms(ctx, c), inputs: r.inputs(ctx, c)}
	if d.inputs != nil {
		d.BaseImages = d.inputs.BaseImages()
	}
	client := r.clients(c.repo.Region)
	for i, p := range d.Platforms {
		scan, err := admission.ReadScan(ctx, client, c.repo.Ref, p.Digest)
		r.note(scansOf, err)
		d.Platforms[i].Scan = scan
	}
	signatures, err := admission.ReadSignings(ctx, client, c.repo.Ref, c.Digest)
	r.note(signaturesOf, err)
	d.Signatures = signatures
	return d
}

// platforms returns the platforms of an image. One that is not an index has one,
// even if its name is not known.
func (r *reader) platforms(ctx context.Context, c *Component) []Platform {
	found, err := r.readPlatforms(ctx, c)
	if r.note(platformsOf, err) && !c.index {
		return []Platform{{Digest: c.Digest}}
	}
	return found
}

func (r *reader) readPlatforms(ctx context.Context, c *Component) ([]Platform, error) {
	client := r.clients(c.repo.Region)
	answer, err := manifests.Read(ctx, client, c.repo, manifests.IDs([]string{c.Digest}))
	if err != nil {
		return nil, err
	}
	if len(answer) == 0 {
		return nil, fmt.Errorf("%s has no image %s anymore", c.repo.Name, c.Digest)
	}
	image := manifests.New(answer[0])
	var out []Platform
	for _, d := range image.Platforms() {
		p := Platform{Digest: d.Digest}
		if d.Platform != nil {
			p.Platform = platforms.Format(*d.Platform)
		}
		out = append(out, p)
	}
	if len(out) > 0 {
		return out, nil
	}
	config, err := digest.Parse(image.Content().Config.Digest)
	if err != nil {
		return nil, fmt.Errorf("reading image %s of %s: %w", c.Digest, c.repo.Name, err)
	}
	data, err := blobs.Read(ctx, client, c.repo, config, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration of an image in %s: %w", c.repo.Name, err)
	}
	var p ocispecs.Platform
	if err := json.Unmarshal(data, &p); err != nil || p.OS == "" || p.Architecture == "" {
		return nil, errors.Join(fmt.Errorf("the configuration of image %s in %s has no platform", c.Digest, c.repo.Name), err)
	}
	return []Platform{{Platform: platforms.Format(p), Digest: c.Digest}}, nil
}

// maxConfig is the size in bytes of the largest configuration that is read.
const maxConfig = 8 << 20

// inputs returns the recorded inputs of an image, nil where they are not known.
func (r *reader) inputs(ctx context.Context, c *Component) *inputs.Record {
	client := r.clients(c.repo.Region)
	found, err := referrers.List(ctx, client, c.repo, c.Digest)
	if r.note(inputsOf, err) || len(found) == 0 {
		return nil
	}
	document, err := referrers.Read(ctx, client, c.repo, found[0])
	if r.note(inputsOf, err) {
		return nil
	}
	out, err := inputs.DecodeRecord(document)
	r.note(inputsOf, err)
	return out
}
