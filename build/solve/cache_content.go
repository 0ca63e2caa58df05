package solve

import (
	"context"
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
	imports := make([]gateway.CacheOptionsEntry, len(opt.CacheImports))
	for i, c := range opt.CacheImports {
		imports[i] = gateway.CacheOptionsEntry{Type: c.Type, Attrs: c.Attrs}
	}
	return func(ctx context.Context, g gateway.Client) (*gateway.Result, error) {
		frontend := gateway.SolveRequest{Frontend: opt.Frontend, FrontendOpt: maps.Clone(opt.FrontendAttrs), CacheImports: imports}
		res, err := g.Solve(ctx, frontend)
		if err != nil {
			return nil, err
		}
		if res.Ref, err = withoutSessionKeys(ctx, g, res.Ref, imports); err != nil {
			return nil, err
		}
		for platform, ref := range res.Refs {
			if res.Refs[platform], err = withoutSessionKeys(ctx, g, ref, imports); err != nil {
				return nil, err
			}
		}
		return res, nil
	}
}

// withoutSessionKeys returns a reference to the same result, whose local sources ignore
// the engine's cache. It returns an empty image as it is, and the result of an engine too
// old to return definitions.
func withoutSessionKeys(ctx context.Context, g gateway.Client, ref gateway.Reference, imports []gateway.CacheOptionsEntry) (gateway.Reference, error) {
	if ref == nil {
		return nil, nil
	}
	state, err := ref.ToState()
	if err != nil || state.Output() == nil {
		return ref, nil
	}
	marshaled, err := state.Marshal(ctx)
	if err != nil {
		return nil, err
	}
	def := marshaled.ToPB()
	if err := ignoreCacheOfLocals(def); err != nil {
		return nil, err
	}
	res, err := g.Solve(ctx, gateway.SolveRequest{Definition: def, CacheImports: imports})
	if err != nil {
		return nil, err
	}
	return res.SingleRef()
}

// ignoreCacheOfLocals marks the local sources of a definition. The digests of its
// steps stay the same.
func ignoreCacheOfLocals(def *pb.Definition) error {
	for _, text := range def.Def {
		var op pb.Op
		if err := proto.Unmarshal(text, &op); err != nil {
			return err
		}
		if !strings.HasPrefix(op.GetSource().GetIdentifier(), "local://") {
			continue
		}
		id := string(digest.FromBytes(text))
		if def.Metadata[id] == nil {
			def.Metadata[id] = &pb.OpMetadata{}
		}
		def.Metadata[id].IgnoreCache = true
	}
	return nil
}
