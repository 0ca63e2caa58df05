package cmd

import (
	"context"

	"slipway/build"
	"slipway/engine"
)

// engines finds the engine, or one for each platform, and says which it took and why.
func (j *job) engines(ctx context.Context) ([]*engine.Engine, error) {
	o := j.options.engineOptions(j.world)
	o.Needs = j.needs()
	o.DockerStarts = j.plan.env.InCodeBuild
	o.Waiting = func(what string) { j.log.Info().Msgf("waiting for %s", what) }
	engines, err := engine.Find(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, e := range engines {
		platform := ""
		if e.Platform != "" {
			platform = " for " + e.Platform
		}
		j.log.Info().Msgf("engine%s: %s, since %s", platform, e, e.Why)
	}
	j.tellInline(engines)
	return engines, nil
}

// needs are what the plan asks of an engine.
func (j *job) needs() engine.Needs {
	var n engine.Needs
	several := len(j.options.engineOptions(j.world).Platforms()) > 0
	for _, t := range j.plan.targets() {
		// Each of several engines builds one platform.
		n.Platforms = n.Platforms || len(t.Platforms) > 1 && !several
		n.Attestations = n.Attestations || t.Provenance != "" || t.SBOM != ""
		n.NamedContexts = n.NamedContexts || len(t.Contexts) > 0
		for _, e := range t.Entitlements {
			n.Insecure = n.Insecure || e == build.EntitlementSecurityInsecure
		}
		for _, c := range t.CacheTo {
			n.RegistryCache = n.RegistryCache || c.Type == "registry"
			n.S3Cache = n.S3Cache || c.Type == "s3"
		}
	}
	n.RegistryCache = n.RegistryCache || j.options.cache == cacheRegistry
	n.S3Cache = n.S3Cache || onS3(j.options.cache)
	return n
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
