package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"slipway/internal/bounded"
	"slipway/internal/fault"
)

// Base is an image that a build starts from or copies from.
type Base struct {
	// Image is the reference, with its tag or digest.
	Image string
	// Platform is the OCI platform that is asked for; empty for an image that is the
	// Dockerfile's syntax, which has the engine's own.
	Platform string
}

// ErrUnreadable says that the images of a target cannot be known on this host: its
// Dockerfile is fetched by the engine, or written in a syntax that only an image knows.
var ErrUnreadable = errors.New("the Dockerfile cannot be read here")

// Bases are the images that a target pulls: of each FROM, COPY --from and RUN --mount
// that the stage to build needs, of contexts, and the Dockerfile's own syntax. It lets
// BuildKit's own frontend read the Dockerfile, with an answer of ours wherever it would
// ask a registry, so that arguments, platforms and stages count as they do in the build.
// What ONBUILD in a base image would add is not known.
//
// Errors: *fault.InputError for a Dockerfile that is wrong; ErrUnreadable, with the images that
// are known all the same.
func Bases(ctx context.Context, t Target) ([]Base, error) {
	var found recorder
	for _, c := range t.Contexts {
		if c.Image != "" {
			found.add(c.Image, t.platforms()[0])
		}
	}
	if t.DockerfileInline == "" && t.Context.Dir == "" {
		return found.list(), fmt.Errorf("%w: it lies at %s", ErrUnreadable, t.Context.Redacted())
	}
	text, name, err := t.dockerfileText(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.checkGrowth(text, name); err != nil {
		return found.list(), err
	}
	if syntax, custom := t.syntax(text); custom {
		found.add(syntax, "")
	}
	for _, p := range t.platforms() {
		if _, err := t.resolve(ctx, text, p, &found); err != nil {
			return found.list(), t.unresolved(text, name, err)
		}
	}
	return found.list(), nil
}

// unresolved is the error for a Dockerfile that the frontend refuses.
func (t Target) unresolved(text []byte, name string, err error) error {
	if syntax, custom := t.syntax(text); custom {
		return fmt.Errorf("%w: its syntax is that of %s (%w)", ErrUnreadable, syntax, err)
	}
	return &fault.InputError{Where: "services." + t.Service + ".build", Problem: name + lineOf(err), Err: err, Remedy: "correct the Dockerfile"}
}

// platforms are those to build for; the host's where the engine is to choose.
func (t Target) platforms() []string {
	if len(t.Platforms) > 0 {
		return t.Platforms
	}
	return []string{platforms.DefaultString()}
}

// dockerfileText is the Dockerfile and what to call it.
func (t Target) dockerfileText(ctx context.Context) (text []byte, name string, err error) {
	if t.DockerfileInline != "" {
		return []byte(t.DockerfileInline), "dockerfile_inline", nil
	}
	text, err = bounded.ReadFile(ctx, t.Dockerfile, MaxDockerfile)
	if errors.Is(err, os.ErrNotExist) && filepath.Base(t.Dockerfile) == defaultDockerfile {
		// The frontend takes the lower-case name as well.
		text, err = bounded.ReadFile(ctx, filepath.Join(filepath.Dir(t.Dockerfile), strings.ToLower(defaultDockerfile)), MaxDockerfile)
	}
	if err != nil {
		return nil, "", &fault.InputError{Where: "services." + t.Service + ".build.dockerfile", Err: err, Remedy: "make the file readable"}
	}
	return text, t.Dockerfile, nil
}

// Syntax returns the image that reads the Dockerfile in place of the engine's own
// frontend, and whether there is one. A Dockerfile that is not on this host is
// an error.
func (t Target) Syntax(ctx context.Context) (image string, custom bool, err error) {
	text, _, err := t.dockerfileText(ctx)
	if err != nil {
		return "", false, err
	}
	image, custom = t.syntax(text)
	return image, custom, nil
}

// syntax is the image that reads the Dockerfile in place of the engine's own frontend,
// found as that finds it (frontend/dockerfile/builder).
func (t Target) syntax(text []byte) (image string, custom bool) {
	if words := strings.Fields(t.Args["BUILDKIT_SYNTAX"]); len(words) > 0 {
		return words[0], true // what follows is a command line for it
	}
	image, _, _, custom = parser.DetectSyntax(text)
	return image, custom
}

// resolve lets the frontend read the Dockerfile for one platform.
func (t Target) resolve(ctx context.Context, text []byte, platform string, found *recorder) (*dockerfile2llb.Result, error) {
	text, err := t.withoutReplaced(text)
	if err != nil {
		return nil, err
	}
	p, err := platforms.Parse(platform)
	if err != nil {
		return nil, err
	}
	asked := &asking{recorder: found, contexts: t.Contexts, platform: p}
	return dockerfile2llb.Dockerfile2LLB(ctx, text, dockerfile2llb.ConvertOpt{
		Config:         dockerui.Config{BuildArgs: maps.Clone(t.Args), Target: t.Target},
		TargetPlatform: &p,
		MetaResolver:   asked,
	})
}

// withoutReplaced empties the stages that a context of the same name stands in for, whose
// images are not pulled. Lines keep their numbers.
func (t Target) withoutReplaced(text []byte) ([]byte, error) {
	if len(t.Contexts) == 0 {
		return text, nil
	}
	file, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	stages, _, err := instructions.Parse(file.AST, nil)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(text), "\n")
	for i, s := range stages {
		if _, replaced := t.Contexts[s.Name]; !replaced || s.Name == "" {
			continue
		}
		first, end := s.Location[0].Start.Line-1, len(lines)
		if i+1 < len(stages) {
			end = stages[i+1].Location[0].Start.Line - 1
		}
		clear(lines[first:end])
		lines[first] = "FROM scratch AS " + s.Name
	}
	return []byte(strings.Join(lines, "\n")), nil
}

// lineOf is where in a Dockerfile an error lies, as ":LINE"; empty where it does not say.
func lineOf(err error) string {
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 {
		return fmt.Sprintf(":%d", at.Locations[0][0].Start.Line)
	}
	return ""
}

// recorder collects images, each with each platform once.
type recorder struct {
	mu    sync.Mutex
	bases []Base
}

func (r *recorder) add(image, platform string) {
	if named, err := reference.ParseNormalizedNamed(image); err == nil {
		image = reference.FamiliarString(reference.TagNameOnly(named))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := (Base{image, platform}); !slices.Contains(r.bases, b) {
		r.bases = append(r.bases, b)
	}
}

func (r *recorder) list() []Base {
	slices.SortFunc(r.bases, func(a, b Base) int {
		return strings.Compare(a.Image+" "+a.Platform, b.Image+" "+b.Platform)
	})
	return r.bases
}

// asking stands where the frontend asks a registry for an image's configuration.
type asking struct {
	*recorder
	contexts map[string]Context
	platform ocispecs.Platform
}

// ResolveImageConfig notes the image and answers with the least of a configuration.
func (a *asking) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	p := a.platform
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		p = *opt.ImageOpt.Platform
	}
	if !a.replaced(ref) {
		a.add(ref, platforms.Format(p))
	}
	return ref, "", fmt.Appendf(nil, `{"os":%q,"architecture":%q,"variant":%q,"rootfs":{"type":"layers","diff_ids":[%q]}}`,
		p.OS, p.Architecture, p.Variant, digest.FromString("a layer")), nil
}

// replaced reports whether a context replaces the image: it may be named with or
// without latest, as the frontend takes it (frontend/dockerui, NamedContext).
func (a *asking) replaced(ref string) bool {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return false
	}
	name := reference.FamiliarString(named)
	_, whole := a.contexts[name]
	_, short := a.contexts[strings.TrimSuffix(name, ":latest")]
	return whole || short
}
