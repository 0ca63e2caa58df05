package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/build/engine"
	"slipway/build/inputs"
	"slipway/build/solve"
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
	ask := newMemo(func(ctx context.Context, image string) (string, error) {
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
	j.keyInputs(ctx, inputs.Sources{Platform: j.options.Platform(), Digest: ask.get})
	return ctx.Err()
}

// headTime is how long a registry may take to name an image's digest.
const headTime = 10 * time.Second

// keyInputs gives the components their inputs.
func (j *job) keyInputs(ctx context.Context, s inputs.Sources) {
	s.Files, s.Commit = j.files, newPairMemo(inputs.Commit).get
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
		if c.Inputs.Inputs == nil || c.Repository.Name == "" {
			continue
		}
		ref := c.Repository.Ref
		out[ref] = append(out[ref], revisions.InputsTag(c.Inputs.Inputs.Key()))
		if j.plan.Untrusted.Yes() {
			out[ref] = append(out[ref], revisions.UntrustedInputsTag(c.Inputs.Inputs.Key()))
		}
	}
	return out
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
	if c.Inputs.Inputs == nil {
		return ""
	}
	for _, tag := range j.inputTags()[c.Repository.Ref] {
		if image, ok := j.before.ByInputs(c.Repository.Ref, tag); ok {
			return image.Digest
		}
	}
	return ""
}

// changed are the targets to build: components that are not there yet, and the bases
// without a repository that they are built on.
func (j *job) changed() []solve.Target {
	needed := map[string]bool{}
	targets := j.options.Targets(j.plan)
	var need func(name string)
	need = func(name string) {
		i := slices.IndexFunc(targets, func(t solve.Target) bool { return t.Service == name })
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
	return slices.DeleteFunc(targets, func(t solve.Target) bool { return !needed[t.Service] })
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
	ask := newMemo(func(ctx context.Context, image string) (string, error) {
		found, err := solve.Resolve(ctx, e.Client, []solve.Base{{Image: image}}, login)
		if err != nil {
			return "", err
		}
		return found[0].Digest, found[0].Err
	})
	if platformOf(e) != j.platform {
		j.forget()
	}
	j.keyInputs(ctx, inputs.Sources{Platform: platformOf(e), Digest: ask.get})
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

// confirm finds out which of the built images may be known by their inputs from
// now on: those whose inputs are still the same after the build, and are the
// same with the base images' configurations.
func (j *job) confirm(ctx context.Context, e *engine.Engine, results map[string]solve.Result) error {
	login, err := j.login()
	if err != nil {
		return err
	}
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
	configs, err := j.configs(ctx, e, login, digests)
	if err != nil {
		return err
	}
	found := inputs.Of(ctx, j.plan.Targets(), inputs.Sources{
		Platform: j.platform, Files: j.files, Commit: newPairMemo(inputs.Commit).get, Config: configs, Keys: keys,
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
	return ctx.Err()
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
func (j *job) configs(ctx context.Context, e *engine.Engine, login solve.AuthFunc, digests map[string]string) (func(string, string) ([]byte, error), error) {
	var asked, bases []solve.Base
	for _, t := range j.changed() {
		for _, b := range j.inputs[t.Service].Bases {
			if !slices.Contains(asked, b) {
				asked, bases = append(asked, b), append(bases, solve.Base{Image: j.pulled(b.Image, digests), Platform: b.Platform})
			}
		}
	}
	found, err := solve.Resolve(ctx, e.Client, bases, login)
	if err != nil {
		return nil, err
	}
	return func(image, platform string) ([]byte, error) {
		i := slices.Index(asked, solve.Base{Image: image, Platform: platform})
		if i < 0 {
			return nil, fmt.Errorf("%s was not read before", image)
		}
		return found[i].Config, found[i].Err
	}, nil
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

// publishedInputs is the tag that an image gets for its inputs; empty for none.
func (j *job) publishedInputs(c *Component) string {
	switch {
	case !c.confirmed:
		return ""
	case j.plan.Untrusted.Yes():
		return revisions.UntrustedInputsTag(c.Inputs.Inputs.Key())
	default:
		return revisions.InputsTag(c.Inputs.Inputs.Key())
	}
}

// logUnchanged reports the components that are not built, with a revision that
// has the same image. Calls: one DescribeImages for each unless the build moves no tag.
func (j *job) logUnchanged(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(registry.MaxCalls)
	since := make([]string, len(j.components))
	for i, c := range j.components {
		if !c.Unchanged {
			continue
		}
		g.Go(func() error {
			since[i] = j.since(ctx, c)
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	for i, c := range j.components {
		if c.Unchanged {
			j.Infof("%s: unchanged%s", c.Target.Service, since[i])
		}
	}
	return ctx.Err()
}

// since is the end of the sentence about an unchanged component. A build that moves
// no tag has no permission to ask for it.
func (j *job) since(ctx context.Context, c *Component) string {
	if j.options.NoLatest {
		return ""
	}
	names, _, err := revisions.NamesOf(ctx, j.clients, c.Repository, c.Digest)
	if err != nil {
		j.Debugf("the names of %s are not known: %v", c.Target.Service, err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(c.ExtraTags, name) })
	switch len(names) {
	case 0:
		return ""
	case 1:
		return " since " + names[0]
	default:
		return fmt.Sprintf(" since %s and %d more", names[0], len(names)-1)
	}
}

// memo asks for each thing once.
type memo[V any] struct {
	ask func(context.Context, string) (V, error)
	mu  sync.Mutex
	got map[string]*answer[V]
}

type answer[V any] struct {
	once  sync.Once
	value V
	err   error
}

func newMemo[V any](ask func(context.Context, string) (V, error)) *memo[V] {
	return &memo[V]{ask: ask, got: map[string]*answer[V]{}}
}

func (m *memo[V]) get(ctx context.Context, name string) (V, error) {
	m.mu.Lock()
	a := m.got[name]
	if a == nil {
		a = &answer[V]{}
		m.got[name] = a
	}
	m.mu.Unlock()
	a.once.Do(func() { a.value, a.err = m.ask(ctx, name) })
	return a.value, a.err
}

// pairMemo is a memo of what has two names.
type pairMemo[V any] struct{ memo *memo[V] }

func newPairMemo[V any](ask func(ctx context.Context, a, b string) (V, error)) pairMemo[V] {
	return pairMemo[V]{newMemo(func(ctx context.Context, name string) (V, error) {
		a, b, _ := strings.Cut(name, "\x00")
		return ask(ctx, a, b)
	})}
}

func (m pairMemo[V]) get(ctx context.Context, a, b string) (V, error) {
	return m.memo.get(ctx, a+"\x00"+b)
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
	before, err := revisions.ReadTags(ctx, j.clients, j.repositories(), j.variant, extra)
	return before, fault.As(fault.AWS, err)
}
