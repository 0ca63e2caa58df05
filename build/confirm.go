package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/build/engine"
	"slipway/build/inputs"
	"slipway/build/solve"
	"slipway/build/target"
)

// confirm finds out which of the built images may be known by their inputs from
// now on: those whose inputs are still the same after the build, and are the
// same with the base images' configurations. An image that cannot be confirmed is
// only built again next time: this fails no build.
func (j *job) confirm(ctx context.Context, engines []*engine.Engine, results map[string]solve.Result) {
	j.images = j.unchangedImages()
	for service, r := range results {
		j.images[service] = j.pushed[service].Repository + "@" + r.Digest
	}
	digests, keys := map[string]string{}, map[string]string{}
	for service, in := range j.inputs {
		if in.Inputs != nil {
			maps.Copy(digests, in.Inputs.Images)
			keys[service] = in.Inputs.Key()
		}
	}
	configs, err := j.configs(ctx, engines, digests)
	if err != nil {
		j.Debugf("the images are built again next time: %v", err)
		return
	}
	found := inputs.Of(ctx, j.plan.Targets(), inputs.Sources{
		Platform: j.platform, Files: j.files, Commit: commits(), Config: configs, Keys: keys,
		Digest: func(_ context.Context, image string) (string, error) {
			if d, ok := digests[image]; ok {
				return d, nil
			}
			return "", fmt.Errorf("%s was not among the images before", image)
		},
	})
	for _, c := range j.components {
		if c.Build && !c.Unchanged {
			c.confirmed = j.same(c, found[c.Target.Service])
		}
	}
}

// same reports whether a component's inputs are what they were before it was
// built.
func (j *job) same(c *Component, now inputs.Result) bool {
	err := c.Inputs.Confirm(now)
	switch {
	case errors.Is(err, inputs.ErrChanged):
		j.Warnf("%s %v while it was built; it is built again next time", c.Target.Service, err)
	case err != nil:
		j.Debugf("%s is built each time: %v", c.Target.Service, err)
	}
	return err == nil
}

// configs reads the configurations of the images that the builds have read.
//
// An engine that cannot be told a digest may have built on another image of the
// same tag, such as an older one that it has. It is asked for the tag, and must name
// the digest of the key.
func (j *job) configs(ctx context.Context, engines []*engine.Engine, digests map[string]string) (func(string, string) ([]byte, error), error) {
	pinned := !slices.ContainsFunc(engines, func(e *engine.Engine) bool { return !e.RewritesNames() })
	if !pinned && len(engines) > 1 {
		return nil, errors.New("one of several engines chooses base images by itself")
	}
	var asked, bases []target.Base
	for _, t := range j.changed() {
		for _, b := range j.inputs[t.Service].Bases {
			if slices.Contains(asked, b) {
				continue
			}
			asked = append(asked, b)
			if pinned || digests[b.Image] == "" {
				b.Image = j.pulled(b.Image, digests)
			}
			bases = append(bases, b)
		}
	}
	if len(bases) == 0 {
		return noConfig, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	found, err := solve.Resolve(ctx, stillThere(engines).Client, bases, j.auth)
	if err != nil {
		return nil, err
	}
	return func(image, platform string) ([]byte, error) {
		i := slices.Index(asked, target.Base{Image: image, Platform: platform})
		switch {
		case i < 0:
			return noConfig(image, platform)
		case found[i].Err == nil && digests[image] != "" && found[i].Digest != digests[image]:
			return nil, fmt.Errorf("the engine has %s of %s", found[i].Digest, image)
		}
		return found[i].Config, found[i].Err
	}, nil
}

// noConfig is the answer for an image that no build has read.
func noConfig(image, _ string) ([]byte, error) {
	return nil, fmt.Errorf("%s was not read before", image)
}

// pulled is the reference by digest of an image that a build has read.
func (j *job) pulled(image string, digests map[string]string) string {
	if service, ok := inputs.Link(image); ok {
		for name, reference := range j.images {
			if strings.EqualFold(name, service) {
				return reference
			}
		}
	}
	if strings.Contains(image, "@") {
		return image
	}
	return image + "@" + digests[image]
}
