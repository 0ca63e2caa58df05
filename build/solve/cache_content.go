package solve

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"

	"slipway/build/target"
)

// product names Slipway to an engine.
const product = "slipway"

// exportsContentKeys reports whether a request writes a cache, whose steps must have
// the content of their files as keys. An image with attestations and an inline cache is
// left as the frontend returned it: its provenance describes that request.
func exportsContentKeys(opt client.SolveOpt) bool {
	inline := len(opt.CacheExports) == 1 && opt.CacheExports[0].Type == target.CacheInline
	for k := range opt.FrontendAttrs {
		if inline && strings.HasPrefix(k, "attest:") {
			return false
		}
	}
	return len(opt.CacheExports) > 0
}

// send sends a request to the engine.
func (w worker) send(ctx context.Context, opt client.SolveOpt, statuses chan *client.SolveStatus) (*client.SolveResponse, error) {
	if exportsContentKeys(opt) {
		return w.Client.Build(ctx, opt, product, byContent(opt), statuses)
	}
	return w.Client.Solve(ctx, nil, opt, statuses)
}

// byContent returns a build whose steps the engine identifies by the content of their
// files.
//
// A step that copies local files has two keys in BuildKit's solver: one from the session
// that sent the files, one from their content. Once a request has computed the content,
// the next request with the same session matches the session's key and never computes the
// content (solver/edge.go, desiredStateDep). The cache exporter leaves out steps with only
// a session's key, and every step after them, without an error (solver/exporter.go). So
// the second of two services that share a directory wrote no cache, unless the engine
// solved both at the same time. Local sources that ignore the cache match no key of a
// session.
func byContent(opt client.SolveOpt) gateway.BuildFunc {
	return func(ctx context.Context, g gateway.Client) (*gateway.Result, error) {
		imports := make([]gateway.CacheOptionsEntry, len(opt.CacheImports))
		for i, c := range opt.CacheImports {
			imports[i] = gateway.CacheOptionsEntry{Type: c.Type, Attrs: c.Attrs}
		}
		frontend := gateway.SolveRequest{Frontend: opt.Frontend, FrontendOpt: maps.Clone(opt.FrontendAttrs), CacheImports: imports}
		res, err := g.Solve(ctx, frontend)
		if err != nil {
			return nil, err
		}
		resolve := func(ref gateway.Reference) (gateway.Reference, error) {
			def, err := uncachedSources(ctx, ref)
			if err != nil || def == nil {
				return ref, err
			}
			r, err := g.Solve(ctx, gateway.SolveRequest{Definition: def, CacheImports: imports})
			if err != nil {
				return nil, err
			}
			return r.SingleRef()
		}
		if res.Ref, err = resolve(res.Ref); err != nil {
			return nil, err
		}
		for platform, ref := range res.Refs {
			if res.Refs[platform], err = resolve(ref); err != nil {
				return nil, err
			}
		}
		return res, nil
	}
}

// uncachedSources returns the definition of a reference, with local sources that ignore
// the engine's cache; nil for an empty image.
func uncachedSources(ctx context.Context, ref gateway.Reference) (*pb.Definition, error) {
	if ref == nil {
		return nil, nil
	}
	state, err := ref.ToState()
	if err != nil {
		return nil, fmt.Errorf("reading the build's definition: %w", err)
	}
	if state.Output() == nil {
		return nil, nil
	}
	marshaled, err := state.Marshal(ctx)
	if err != nil {
		return nil, err
	}
	def := marshaled.ToPB()
	for _, text := range def.Def {
		var op pb.Op
		if err := proto.Unmarshal(text, &op); err != nil {
			return nil, err
		}
		if strings.HasPrefix(op.GetSource().GetIdentifier(), "local://") {
			id := string(digest.FromBytes(text))
			if def.Metadata[id] == nil {
				def.Metadata[id] = &pb.OpMetadata{}
			}
			def.Metadata[id].IgnoreCache = true
		}
	}
	return def, nil
}
