package build

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/util/flightcontrol"

	"slipway/build/engine"
	"slipway/build/inputs"
	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/revisions"
)

// readInputs finds out, before an engine is there, what each component depends
// on. Where that stays unknown, the component is built. The repositories and
// with them the logins for their registries are there when known is closed.
func (j *job) readInputs(ctx context.Context, known <-chan struct{}) error {
	login, err := j.login()
	if err != nil {
		return err
	}
	ask := onceFor(func(ctx context.Context, image string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, headTime)
		defer cancel()
		if copied := j.plan.Mirrors.Mirror(image); copied != image {
			if digest, err := solve.Head(ctx, copied, login); err == nil {
				return digest, nil
			}
		}
		digest, err := solve.Head(ctx, image, login)
		if err == nil {
			return digest, nil
		}
		// Its host may turn out to be one of the project's own registries.
		select {
		case <-known:
			return solve.Head(ctx, image, login)
		case <-ctx.Done():
			return "", err
		}
	})
	j.keyInputs(ctx, inputs.Sources{Platform: j.options.Platform(), Digest: ask})
	return ctx.Err()
}

// headTime is how long a registry may take to name an image's digest.
const headTime = 10 * time.Second

// resolveTime is how long an engine may take to find base images in registries. An
// image that it does not find in that time has no key: it is built.
const resolveTime = time.Minute

// keyInputs gives the components their inputs.
func (j *job) keyInputs(ctx context.Context, s inputs.Sources) {
	s.Files, s.Commit = j.files, commits()
	j.platform = s.Platform
	j.inputs = inputs.Of(ctx, j.plan.Targets(), s)
	for _, c := range j.components {
		if c.Build {
			c.Inputs = j.inputs[c.Target.Service]
		}
	}
}

// inputTags are the tags that images with the components' inputs have, by
// repository.
func (j *job) inputTags() map[registry.Ref][]string {
	out := map[registry.Ref][]string{}
	for _, c := range j.components {
		if c.Repository.Name != "" {
			out[c.Repository.Ref] = append(out[c.Repository.Ref], j.inputTagsOf(c)...)
		}
	}
	return out
}

// inputTagsOf are the tags that images with the component's inputs have.
func (j *job) inputTagsOf(c *Component) []string {
	if c.Inputs.Inputs == nil {
		return nil
	}
	key := c.Inputs.Inputs.Key()
	tags := []string{revisions.InputsTag(key)}
	if j.plan.Untrusted.Yes() {
		tags = append(tags, revisions.UntrustedInputsTag(key))
	}
	return tags
}

// reuse gives the components that are there already, built from the same inputs,
// their digests.
func (j *job) reuse() {
	for _, c := range j.components {
		if c.Build && c.Digest == "" && !c.aged && !j.options.Rebuild {
			c.Digest = j.existing(c)
			c.Unchanged = c.Digest != ""
		}
	}
}

// existing is the digest of the image with the component's inputs, empty where
// there is none that can be pulled.
func (j *job) existing(c *Component) string {
	for _, tag := range j.inputTagsOf(c) {
		if image, ok := j.before.ByInputs(c.Repository.Ref, tag); ok {
			return image.Digest
		}
	}
	return ""
}

// changed are the targets to build: components that are not there yet, and the bases
// without a repository that they are built on.
func (j *job) changed() []target.Target {
	needed := map[string]bool{}
	targets := j.options.Targets(j.plan)
	var need func(name string)
	need = func(name string) {
		i := slices.IndexFunc(targets, func(t target.Target) bool { return t.Service == name })
		if i < 0 || needed[name] || j.unchanged(name) {
			return
		}
		needed[name] = true
		for _, link := range targets[i].Links() {
			need(link)
		}
	}
	for _, c := range j.components {
		if c.Build {
			need(c.Target.Service)
		}
	}
	for i, t := range targets {
		targets[i].NoCache = t.NoCache || j.aged(t.Service)
	}
	return slices.DeleteFunc(targets, func(t target.Target) bool { return !needed[t.Service] })
}

// unchanged reports whether a service is a component that is not built.
func (j *job) unchanged(service string) bool {
	return slices.ContainsFunc(j.components, func(c *Component) bool { return c.Unchanged && c.Target.Service == service })
}

// reuseFromEngine tries again when an engine is there: it may build for another
// platform than was assumed, or know images that this host cannot ask for.
func (j *job) reuseFromEngine(ctx context.Context, e *engine.Engine) error {
	helps := slices.ContainsFunc(j.components, func(c *Component) bool {
		var image *inputs.ImageError
		return c.Build && (errors.As(c.Inputs.Unknown, &image) || platformOf(e) != j.platform)
	})
	if !helps {
		return nil
	}
	login, err := j.login()
	if err != nil {
		return err
	}
	ask := onceFor(func(ctx context.Context, image string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, resolveTime)
		defer cancel()
		found, err := solve.Resolve(ctx, e.Client, []target.Base{{Image: image}}, login)
		if err != nil {
			return "", err
		}
		return found[0].Digest, found[0].Err
	})
	if platformOf(e) != j.platform {
		j.forget()
	}
	j.keyInputs(ctx, inputs.Sources{Platform: platformOf(e), Digest: ask})
	if j.before, err = j.snapshot(ctx); err != nil {
		return err
	}
	j.reuse()
	return nil
}

// forget makes components be built that were found under the keys of another
// platform than the engine's: a revision has no mixture.
func (j *job) forget() {
	for _, c := range j.components {
		if c.Unchanged {
			c.Digest, c.Unchanged = "", false
		}
	}
}

// pins are the digests of the images that a target is built from, so that its
// image is the one that its key stands for.
func pins(r inputs.Result) map[string]string {
	if r.Inputs == nil {
		return nil
	}
	pins := maps.Clone(r.Inputs.Images)
	maps.DeleteFunc(pins, func(ref, _ string) bool { return strings.Contains(ref, "@") })
	return pins
}

// publishedInputs is the tag that an image gets for its inputs; empty for none.
func (j *job) publishedInputs(c *Component) string {
	if !c.confirmed {
		return ""
	}
	return j.inputsTag(c.Inputs.Inputs.Key())
}

// namesOf returns the names of the revisions that had the image of an unchanged
// component before the build. A build that moves no tag has no permission to ask for
// them.
func (j *job) namesOf(ctx context.Context, c *Component) []string {
	if j.options.NoLatest {
		return nil
	}
	names, err := revisions.NamesOf(ctx, j.clients, c.Repository, c.Digest)
	if err != nil {
		j.Debugf("the names of %s are not known: %v", c.Target.Service, err)
	}
	if names.Tags > revisions.ManyTags {
		j.warn(ManyTags, "%s: its image %s has %d tags, and ECR allows %d: later builds will fail", c.Target.Service, c.Digest, names.Tags, revisions.MaxTags)
	}
	c.names = slices.DeleteFunc(names.Revisions, func(name string) bool {
		return slices.Contains(c.ExtraTags, name) || j.before.Lacks(c.Repository.Ref, name)
	})
	return slices.DeleteFunc(slices.Clone(c.names), revisions.IsUntrusted)
}

// onceFor returns a function that asks another one once for each name.
func onceFor[V any](ask func(context.Context, string) (V, error)) func(context.Context, string) (V, error) {
	group := &flightcontrol.CachedGroup[V]{CacheError: true}
	return func(ctx context.Context, name string) (V, error) {
		return group.Do(ctx, name, func(ctx context.Context) (V, error) { return ask(ctx, name) })
	}
}

// commits asks git servers, for each reference once.
func commits() func(ctx context.Context, remote, ref string) (string, error) {
	ask := onceFor(func(ctx context.Context, both string) (string, error) {
		remote, ref, _ := strings.Cut(both, "\x00")
		return inputs.Commit(ctx, remote, ref)
	})
	return func(ctx context.Context, remote, ref string) (string, error) { return ask(ctx, remote+"\x00"+ref) }
}

// snapshot reads the tags that a build needs to know.
func (j *job) snapshot(ctx context.Context) (*revisions.Snapshot, error) {
	extra := j.cacheTags()
	for ref, tags := range j.inputTags() {
		extra[ref] = slices.Clone(extra[ref])
		for _, tag := range tags {
			extra[ref] = append(extra[ref], revisions.InputsTags(tag)...)
		}
	}
	protecting := j.protectingTags()
	for _, repo := range j.repositories() {
		extra[repo.Ref] = slices.Concat(extra[repo.Ref], protecting)
	}
	before, err := revisions.ReadTags(ctx, j.clients, j.repositories(), j.variant, extra)
	return before, fault.As(fault.AWS, err)
}

// protectingTags are those of the ECS services, if the build moves them.
func (j *job) protectingTags() []string {
	var out []string
	if j.options.NoLatest || j.hooks.Running == nil {
		return nil
	}
	for _, s := range j.plan.ECS.Services {
		out = append(out, registry.LiveTag(s.Ref.Cluster, s.Ref.Service), registry.PreviousTag(s.Ref.Cluster, s.Ref.Service))
	}
	return out
}
