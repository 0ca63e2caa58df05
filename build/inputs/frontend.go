package inputs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/defaults"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	fstypes "github.com/tonistiigi/fsutil/types"

	"slipway/internal/bounded"
)

// read is a Dockerfile as the frontend read it: a definition and the image's
// configuration for each platform.
type read struct {
	definitions map[string]*pb.Definition
	configs     map[string][]byte
}

// frontend stands where BuildKit's Dockerfile frontend expects the engine. It
// answers what it can from this host, and notes the definitions that it is to
// solve.
type frontend struct {
	// attrs are those of the request.
	attrs map[string]string
	// platform is the engine's own.
	platform ocispecs.Platform
	// dirs are the local directories by the names of the sources.
	dirs map[string]string
	// inline is the Dockerfile's text where the compose file has it.
	inline []byte
	// layouts are the OCI layouts by the ids of their stores.
	layouts map[string]layout
	// image resolves an image: its digest and its configuration.
	image func(ctx context.Context, ref string, platform ocispecs.Platform) (digest.Digest, []byte, error)
}

var _ client.Client = (*frontend)(nil)

// errUnsupported is the reason where the frontend asks for what only an engine
// can do.
var errUnsupported = errors.New("its Dockerfile needs an engine to be read")

// run lets the frontend read the Dockerfile.
func (f *frontend) run(ctx context.Context) (*read, error) {
	res, err := builder.Build(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &read{definitions: map[string]*pb.Definition{}, configs: map[string][]byte{}}
	own := platforms.FormatAll(platforms.Normalize(f.platform))
	if res.Ref != nil {
		out.definitions[own], out.configs[own] = definitionOf(res.Ref), res.Metadata[exptypes.ExporterImageConfigKey]
	}
	for id, ref := range res.Refs {
		out.definitions[id], out.configs[id] = definitionOf(ref), res.Metadata[exptypes.ExporterImageConfigKey+"/"+id]
	}
	for id, all := range res.Attestations {
		for i, a := range all {
			if a.Ref != nil {
				out.definitions[fmt.Sprintf("%s attestation %d", id, i)] = definitionOf(a.Ref)
			}
		}
	}
	return out, nil
}

func definitionOf(ref client.Reference) *pb.Definition {
	if r, ok := ref.(*result); ok {
		return r.definition
	}
	return nil
}

// BuildOpts returns the request's attributes. With cmdline the frontend takes
// the request for one that was forwarded to it, and follows no "# syntax"
// (frontend/dockerfile/builder).
func (f *frontend) BuildOpts() client.BuildOpts {
	opts := maps.Clone(f.attrs)
	opts["cmdline"] = ""
	return client.BuildOpts{
		Opts:    opts,
		Workers: []client.WorkerInfo{{Platforms: []ocispecs.Platform{f.platform}}},
		LLBCaps: pb.Caps.CapSet(pb.Caps.All()),
		Caps:    gwpb.Caps.CapSet(gwpb.Caps.All()),
	}
}

// Solve notes the definition.
func (f *frontend) Solve(_ context.Context, req client.SolveRequest) (*client.Result, error) {
	if req.Definition == nil {
		return nil, errUnsupported
	}
	res := client.NewResult()
	res.SetRef(&result{frontend: f, definition: req.Definition})
	return res, nil
}

// ResolveImageConfig returns the digest of an image and its configuration, or
// the least of one. That of an image in an OCI layout is always the real one.
func (f *frontend) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	p := f.platform
	switch {
	case opt.ImageOpt != nil && opt.ImageOpt.Platform != nil:
		p = *opt.ImageOpt.Platform
	case opt.OCILayoutOpt != nil:
		return f.resolveLayout(ctx, ref, *opt.OCILayoutOpt)
	}
	dgst, config, err := f.image(ctx, ref, p)
	return ref, dgst, config, err
}

// resolveLayout returns the digest that a reference names, and the configuration
// of the image in an OCI layout.
func (f *frontend) resolveLayout(ctx context.Context, ref string, opt sourceresolver.ResolveOCILayoutOpt) (string, digest.Digest, []byte, error) {
	dir, ok := f.layouts[opt.Store.StoreID]
	if !ok {
		return "", "", nil, fmt.Errorf("%w: no directory for %s", errUnsupported, opt.Store.StoreID)
	}
	p := f.platform
	if opt.Platform != nil {
		p = *opt.Platform
	}
	_, dgst, _ := strings.Cut(ref, "@")
	config, err := dir.config(ctx, digest.Digest(dgst), p)
	return ref, digest.Digest(dgst), config, err
}

// ResolveSourceMetadata returns the digest of an image and its configuration, as
// ResolveImageConfig does: the frontend asks so for the scanner of an SBOM. Only an
// engine can describe other sources.
func (f *frontend) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	ref, ok := strings.CutPrefix(op.Identifier, schemeImage+"://")
	if !ok {
		return nil, errUnsupported
	}
	_, dgst, config, err := f.ResolveImageConfig(ctx, ref, opt)
	if err != nil {
		return nil, err
	}
	return &sourceresolver.MetaResponse{Op: op, Image: &sourceresolver.ResolveImageResponse{Digest: dgst, Config: config}}, nil
}

// Inputs returns none: Slipway sends none.
func (f *frontend) Inputs(context.Context) (map[string]llb.State, error) { return nil, nil }

// NewContainer is not possible here.
func (f *frontend) NewContainer(context.Context, client.NewContainerRequest) (client.Container, error) {
	return nil, errUnsupported
}

// Warn drops the warning: the build itself prints it.
func (f *frontend) Warn(context.Context, digest.Digest, string, client.WarnOpts) error { return nil }

// result is the result of a definition that nothing has solved. Files can be
// read from a local source.
type result struct {
	frontend   *frontend
	definition *pb.Definition
}

var _ client.Reference = (*result)(nil)

// ToState is not needed by the frontend.
func (r *result) ToState() (llb.State, error) { return llb.State{}, errUnsupported }

// Evaluate does nothing.
func (r *result) Evaluate(context.Context) error { return nil }

// ReadFile reads a Dockerfile or a .dockerignore.
func (r *result) ReadFile(ctx context.Context, req client.ReadRequest) ([]byte, error) {
	name, err := localSource(r.definition)
	if err != nil {
		return nil, err
	}
	if name == localDockerfile && r.frontend.inline != nil {
		if req.Filename != dockerfileName {
			return nil, &os.PathError{Op: "open", Path: req.Filename, Err: fs.ErrNotExist}
		}
		return r.frontend.inline, nil
	}
	dir, ok := r.frontend.dirs[name]
	if !ok {
		return nil, fmt.Errorf("%w: no directory for %s", errUnsupported, name)
	}
	limit := int64(maxRead)
	if req.Range != nil {
		limit = int64(req.Range.Length)
	}
	return bounded.ReadFile(ctx, filepath.Join(dir, filepath.FromSlash(req.Filename)), limit)
}

// maxRead is the size in bytes of the largest file that the frontend reads
// (frontend/dockerui, maxFileSize).
const maxRead = defaults.DefaultMaxRecvMsgSize

// StatFile and ReadDir are not needed: a file is read without being described.
func (r *result) StatFile(context.Context, client.StatRequest) (*fstypes.Stat, error) {
	return nil, errUnsupported
}

// ReadDir is not needed by the frontend.
func (r *result) ReadDir(context.Context, client.ReadDirRequest) ([]*fstypes.Stat, error) {
	return nil, errUnsupported
}
