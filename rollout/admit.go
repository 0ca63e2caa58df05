package rollout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry/admission"
	"slipway/rollout/ecs"
)

// admissionPause is the time between two looks at a scan or a signing under way.
const admissionPause = 2 * time.Second

// admit refuses images that do not pass what the options require. Those that run
// already, in services that are left alone, are not looked at.
func (d *job) admit(ctx context.Context, changes []ecs.Change) error {
	checks := admission.Checks{
		Scan: d.options.RequireScan, Signature: d.options.RequireSignature,
		Timeout: cmp.Or(d.options.Timeout, DefaultTimeout), Pause: admissionPause,
		Waiting: func(what string) { d.Infof("waiting for %s", what) },
	}
	if !checks.Any() {
		return nil
	}
	images, err := d.toAdmit(changes)
	if err != nil {
		return err
	}
	return fault.As(fault.AWS, admission.Pass(ctx, d.clients, images, checks))
}

// toAdmit returns the images that the changes deploy, each once.
func (d *job) toAdmit(changes []ecs.Change) ([]admission.Image, error) {
	byDigest := map[string]admission.Image{}
	for _, c := range changes {
		if c.Action == ecs.Leave {
			continue
		}
		for container, desired := range d.target.Desired[c.Service.Ref] {
			ref, ok := project.RepositoryOfImage(desired.Image)
			if !ok || len(desired.Digests) == 0 {
				return nil, refuse(NotAdmitted, "%s: the image of container %s (%s) is not in ECR, which alone knows scans and signatures", c.Service.Ref, container, desired.Image)
			}
			image := admission.Image{Repository: ref, Digest: desired.Digests[0], Platforms: desired.Digests[1:]}
			byDigest[fmt.Sprint(ref, image.Digest)] = image
		}
	}
	var out []admission.Image
	for _, key := range slices.Sorted(maps.Keys(byDigest)) {
		out = append(out, byDigest[key])
	}
	return out, nil
}
