package inputs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"slipway/build/target"
	"slipway/internal/bounded"
	"slipway/internal/redact"
)

// The frontend's names (frontend/dockerui).
const (
	localDockerfile = "dockerfile"
	localContext    = "context"
	dockerfileName  = "Dockerfile"
)

// Sources are the places that inputs are read from. Each function may be called
// by several goroutines.
type Sources struct {
	// Platform is the one for which an engine builds if the request names none.
	Platform string
	// Files hashes local files.
	Files *Files
	// Digest returns the digest of an image by its reference, without pulling it.
	Digest func(ctx context.Context, image string) (string, error)
	// Commit returns the commit that a reference of a git repository names; an
	// empty one is HEAD.
	Commit func(ctx context.Context, remote, ref string) (string, error)
	// Config returns an image's configuration. Nil stands for one that says
	// nothing: no pull is needed then, and [Result.Confirm] finds out whether it
	// made a difference.
	Config func(image, platform string) ([]byte, error)
	// Keys are the keys by service that stand for linked components; nil for those
	// that are found.
	Keys map[string]string
}

// Result has a component's inputs, as far as they are known.
type Result struct {
	// Inputs is nil where they are not known.
	Inputs *Inputs
	// Unknown is why they are not known: the component has to be built.
	Unknown error
	// Reads names the sources that the steps read, with what they select of them.
	// The configurations of the base images must add none: they can have steps
	// (ONBUILD), and variables that are used in a path.
	Reads []string
	// Bases are the images whose configurations the frontend asked for.
	Bases []target.Base
}

// ImageError is an image whose digest is not known.
type ImageError struct {
	Image string
	Err   error
}

// Error names the image.
func (e *ImageError) Error() string { return e.Image + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ImageError) Unwrap() error { return e.Err }

// Of returns the inputs of targets by service. A target that is linked to others
// has their keys among its inputs. The targets are whole: each link of one leads
// to another.
func Of(ctx context.Context, targets []target.Target, s Sources) map[string]Result {
	run := &run{sources: s, out: map[string]*pending{}}
	for _, t := range targets {
		run.out[t.Service] = &pending{ready: make(chan struct{})}
	}
	var g errgroup.Group
	for _, t := range targets {
		g.Go(func() error {
			p := run.out[t.Service]
			defer close(p.ready)
			p.result = run.target(ctx, t)
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	out := map[string]Result{}
	for name, p := range run.out {
		out[name] = p.result
	}
	return out
}

// run is one run of Of.
type run struct {
	sources Sources
	out     map[string]*pending
}

// pending is a result that others can wait for.
type pending struct {
	ready  chan struct{}
	result Result
}

// target returns the inputs of one target.
func (r *run) target(ctx context.Context, t target.Target) Result {
	if err := alwaysBuilt(t); err != nil {
		return Result{Unknown: err}
	}
	links, err := r.links(ctx, t)
	if err != nil {
		return Result{Unknown: err}
	}
	c := &component{run: r, target: t, links: links, inputs: &Inputs{
		Settings: checksum(string(t.Compression), t.Provenance, t.SBOM, strings.Join(t.Platforms, ","), fmt.Sprint(t.Reproducible)),
		Steps:    map[string]string{}, Trees: map[string]string{}, Files: map[string]string{}, Images: map[string]string{},
		Commits: map[string]string{}, Components: map[string]string{},
		arguments: t.Args,
	}}
	c.nameDockerfile(ctx)
	reads, err := c.read(ctx)
	if err != nil {
		return Result{Unknown: err}
	}
	return Result{Inputs: c.inputs, Reads: reads, Bases: c.bases}
}

// alwaysBuilt is why a target is built whatever its inputs are; nil where they
// decide.
func alwaysBuilt(t target.Target) error {
	switch {
	case t.NoCache || len(t.NoCacheFilter) > 0:
		return errors.New("no_cache asks for it")
	case t.Context.Dir == "" && t.DockerfileInline == "":
		return fmt.Errorf("its Dockerfile is read by the engine, from %s", t.Context.Redacted())
	}
	return nil
}

// links waits for the keys of the components that the target is linked to.
func (r *run) links(ctx context.Context, t target.Target) (map[string]string, error) {
	out := map[string]string{}
	for _, name := range t.Links() {
		p, ok := r.out[name]
		if !ok {
			return nil, fmt.Errorf("the inputs of %s are not known", name)
		}
		select {
		case <-p.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if p.result.Inputs == nil {
			return nil, fmt.Errorf("it is linked to %s: %w", name, p.result.Unknown)
		}
		out[name] = p.result.Inputs.Key()
		if key, ok := r.sources.Keys[name]; ok {
			out[name] = key
		}
	}
	return out, nil
}

// component is one target whose inputs are being read.
type component struct {
	*run
	target target.Target
	// links are the keys of the linked components.
	links map[string]string

	mu     sync.Mutex
	inputs *Inputs
	bases  []target.Base
}

// linkHost is the registry in the references that stand for linked components.
const linkHost = "component.slipway.invalid/"

// Link returns the service that a reference in [Result.Bases] stands for, in
// lower case, and false for an image.
func Link(ref string) (service string, ok bool) {
	name, ok := strings.CutPrefix(ref, linkHost)
	service, _, _ = strings.Cut(name, "@")
	return service, ok
}

// linkImages are references that stand for the linked components: they are
// different where the key is.
func (c *component) linkImages() map[string]string {
	out := map[string]string{}
	for name, key := range c.links {
		out[name] = linkHost + strings.ToLower(name) + "@" + digest.FromString(name+key).String()
	}
	return out
}

// read lets the frontend read the Dockerfile, and notes what it reads.
func (c *component) read(ctx context.Context) ([]string, error) {
	if err := c.syntax(ctx); err != nil {
		return nil, err
	}
	f, err := c.frontend(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	// The frontend asks hosts of git sources over ssh for their keys, and heeds no
	// context there.
	read, err := bounded.Do(ctx, func() (*read, error) { return f.run(ctx) })
	if err != nil {
		return nil, fmt.Errorf("its Dockerfile cannot be read without an engine: %w", err)
	}
	for platform, config := range read.configs {
		c.inputs.Steps[platform+" configuration"] = checksum(string(config))
	}
	var reads []string
	for platform, d := range read.definitions {
		parsed, err := parse(d)
		if err != nil {
			return nil, err
		}
		c.inputs.Steps[platform] = parsed.digest
		for _, s := range parsed.sources {
			if err := c.source(ctx, f, platform, s); err != nil {
				return nil, err
			}
			reads = append(reads, platform+" "+s.String())
		}
	}
	slices.Sort(reads)
	return reads, nil
}

// nameDockerfile notes the name of the Dockerfile and the checksum of its text.
func (c *component) nameDockerfile(ctx context.Context) {
	t := c.target
	if t.DockerfileInline != "" {
		c.inputs.dockerfile, c.inputs.dockerfileSum = "the inline Dockerfile", checksum(t.DockerfileInline)
		return
	}
	sum, err := c.sources.Files.Sum(ctx, t.Dockerfile)
	if err != nil {
		return // reading it to build will fail, too
	}
	name, err := filepath.Rel(t.Context.Dir, t.Dockerfile)
	if err != nil || !filepath.IsLocal(name) {
		name = filepath.Base(t.Dockerfile)
	}
	c.inputs.dockerfile, c.inputs.dockerfileSum = filepath.ToSlash(name), sum
}

// readTime is how long reading one Dockerfile and its images may take.
const readTime = 30 * time.Second

// frontend returns the answers that the frontend gets.
func (c *component) frontend(ctx context.Context) (*frontend, error) {
	platform, err := platforms.Parse(c.sources.Platform)
	if err != nil {
		return nil, fmt.Errorf("the engine's platform: %w", err)
	}
	t := c.target
	t.Pull, t.CacheFrom, t.CacheTo = false, nil, nil
	attrs := t.SolveOpt(target.Push{}, target.Sources{Images: c.linkImages()}).FrontendAttrs
	f := &frontend{attrs: attrs, platform: platform, dirs: map[string]string{}, layouts: map[string]layout{}, image: c.image}
	for name, dir := range t.Locals() {
		f.dirs[name] = dir
	}
	for name, x := range t.Contexts {
		if x.OCILayout != "" {
			f.layouts[target.StoreID(name)] = layout(x.OCILayout)
		}
	}
	if t.DockerfileInline != "" {
		f.inline = []byte(t.DockerfileInline)
	}
	return f, nil
}

// image notes an image and returns its digest and its configuration.
func (c *component) image(ctx context.Context, ref string, p ocispecs.Platform) (digest.Digest, []byte, error) {
	var dgst digest.Digest
	switch {
	case strings.HasPrefix(ref, linkHost):
		c.noteLink(ref)
	case strings.Contains(ref, "@"):
		c.note(c.inputs.Images, ref, ref[strings.Index(ref, "@")+1:])
	default:
		got, err := c.sources.Digest(ctx, ref)
		if err != nil {
			return "", nil, &ImageError{ref, err}
		}
		c.note(c.inputs.Images, ref, got)
		dgst = digest.Digest(got)
	}
	c.mu.Lock()
	if b := (target.Base{Image: ref, Platform: platforms.Format(p)}); !slices.Contains(c.bases, b) {
		c.bases = append(c.bases, b)
	}
	c.mu.Unlock()
	if c.sources.Config == nil {
		return dgst, emptyConfig(p), nil
	}
	config, err := c.sources.Config(ref, platforms.Format(p))
	return dgst, config, err
}

// noteLink notes the key of the component that a reference stands for.
func (c *component) noteLink(ref string) {
	for name, image := range c.linkImages() {
		if image == ref {
			c.note(c.inputs.Components, name, c.links[name])
		}
	}
}

// emptyConfig is the least of a configuration: an image with a layer, and an
// entry point, without which no image can make an SBOM.
func emptyConfig(p ocispecs.Platform) []byte {
	return fmt.Appendf(nil, `{"os":%q,"architecture":%q,"variant":%q,"config":{"Entrypoint":["/"]},"rootfs":{"type":"layers","diff_ids":[%q]}}`,
		p.OS, p.Architecture, p.Variant, digest.FromString("a layer"))
}

func (c *component) note(in map[string]string, name, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in[name] = value
}

// source notes the content of a source.
func (c *component) source(ctx context.Context, f *frontend, platform string, s source) error {
	switch s.scheme {
	case schemeLocal:
		return c.local(ctx, f, platform, s)
	case schemeImage, schemeLayout:
		return nil // noted when it was resolved; a layout's digest is one of the steps
	case schemeGit:
		return c.git(ctx, s)
	case "http", "https":
		if s.attrs[pb.AttrHTTPChecksum] != "" {
			return nil // the checksum is one of the steps
		}
		return fmt.Errorf("%s has no checksum (ADD --checksum)", redact.Patterns(s.scheme+"://"+s.name))
	default:
		return fmt.Errorf("a source of kind %s is not known", s.scheme)
	}
}

// local notes the files of a local source.
func (c *component) local(ctx context.Context, f *frontend, platform string, s source) error {
	dir, ok := f.dirs[s.name]
	if !ok {
		return fmt.Errorf("no directory for the source %s", s.name)
	}
	tree, err := c.sources.Files.tree(ctx, dir, s)
	if err != nil {
		return err
	}
	prefix := ""
	if s.name != localContext {
		prefix = strings.TrimPrefix(s.name, localContext+"-") + ":"
	}
	c.inputs.Trees[platform+" "+s.name] = checksum(c.inputs.Trees[platform+" "+s.name], tree.sum)
	for path, sum := range tree.files {
		c.inputs.Files[prefix+path] = sum
	}
	return nil
}

// syntax notes the image of a "# syntax" line, if it is Docker's own frontend:
// what another one makes of the Dockerfile cannot be known here.
func (c *component) syntax(ctx context.Context) error {
	image, custom, err := c.target.Syntax(ctx)
	if err != nil || !custom {
		return err
	}
	named, ok := officialFrontend(image)
	if !ok {
		return fmt.Errorf("its syntax is that of %s", image)
	}
	got, err := c.sources.Digest(ctx, named)
	if err != nil {
		return &ImageError{named, err}
	}
	c.note(c.inputs.Images, named, got)
	return nil
}

// officialFrontend returns the full reference of an image if it is a release of
// BuildKit's Dockerfile frontend.
func officialFrontend(image string) (string, bool) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", false
	}
	switch named.Name() {
	case "docker.io/docker/dockerfile", "docker.io/docker/dockerfile-upstream":
		return reference.TagNameOnly(named).String(), true
	default:
		return "", false
	}
}
