package cmd

import (
	"context"
	"slices"

	"slipway/build"
	"slipway/engine"
)

// engineSearch says where the engine may be and what the plan asks of it. The plan may be
// nil: nothing is asked then.
func (o buildOptions) engineSearch(w *world, p *plan) engine.Options {
	out := o.engineOptions(w)
	if p != nil {
		out.Needs = o.needs(p, len(out.Platforms()) > 0)
		out.DockerStarts = p.env.InCodeBuild
	}
	out.Waiting = func(what string) { w.log.Info().Msgf("waiting for %s", what) }
	return out
}

// needs are what the plan asks of an engine, or of each of several.
func (o buildOptions) needs(p *plan, several bool) engine.Needs {
	var n engine.Needs
	for _, t := range p.targets() {
		// Each of several engines builds one platform.
		n.Platforms = n.Platforms || len(t.Platforms) > 1 && !several
		n.Attestations = n.Attestations || t.Provenance != "" || t.SBOM != ""
		n.NamedContexts = n.NamedContexts || len(t.Contexts) > 0
		n.Insecure = n.Insecure || slices.Contains(t.Entitlements, build.EntitlementSecurityInsecure)
		for _, c := range t.CacheTo {
			n.RegistryCache = n.RegistryCache || c.Type == "registry"
			n.S3Cache = n.S3Cache || c.Type == "s3"
		}
	}
	n.RegistryCache = n.RegistryCache || o.cache == cacheRegistry
	n.S3Cache = n.S3Cache || onS3(o.cache)
	return n
}

// engines finds the engine, or one for each platform, and says which it took and why.
func (j *job) engines(ctx context.Context) ([]*engine.Engine, error) {
	engines, err := engine.Find(ctx, j.options.engineSearch(j.world, j.plan))
	if err != nil {
		return nil, err
	}
	for _, e := range engines {
		j.log.Info().Msgf("engine%s: %s, since %s", forPlatform(e), e, e.Why)
	}
	j.tellUncached(engines)
	return engines, nil
}

// forPlatform tells several engines apart.
func forPlatform(e *engine.Engine) string {
	if e.Platform == "" {
		return ""
	}
	return " for " + e.Platform
}

// tellUncached says where a build will have no cache next time. The one cache that a Docker
// engine with the classic store exports is inline: part of the image, whose digest then
// depends on what was in the cache. That is for users to choose.
func (j *job) tellUncached(engines []*engine.Engine) {
	classic := slices.ContainsFunc(engines, func(e *engine.Engine) bool { return e.Images != nil })
	if j.options.cache == cacheAuto && j.plan.env.InCodeBuild && classic {
		j.log.Info().Msg("no layer cache is kept: this engine could keep an inline one only (--cache inline), which changes the images' digests; a buildkitd beside slipway keeps one in the registry")
	}
}

// builders are the engines as the builds see them.
func builders(engines []*engine.Engine) []build.Engine {
	var out []build.Engine
	for _, e := range engines {
		b := build.Engine{Client: e.Client, Session: e.SessionDialer(), Platform: e.Platform}
		if e.Images != nil {
			b.Store = e.Images
		}
		out = append(out, b)
	}
	return out
}

// closeEngines hangs up in the background: stopping an engine of our own takes a moment
// that the tags need not wait for. The pipeline waits for it at its end.
func (j *job) closeEngines(ctx context.Context, engines []*engine.Engine) {
	for _, e := range engines {
		j.closing.Go(func() {
			if err := e.Close(context.WithoutCancel(ctx)); err != nil {
				j.log.Warn().Msgf("closing the engine: %v", err)
			}
		})
	}
}
