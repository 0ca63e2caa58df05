package cmd

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/platforms"

	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/internal/fault"
)

// engineSearch says where the engine may be and what the plan asks of it. The plan may be
// nil: nothing is asked then.
func (o buildOptions) engineSearch(w *world, p *plan) engine.Options {
	out := o.engineOptions(w)
	if p != nil && p.untrusted.yes() {
		out.StateDir = untrustedStateDir(out.StateDir)
	}
	if p != nil {
		out.Requirements = o.needs(p, len(out.Platforms()) > 0)
		out.DockerStarts = p.env.InCodeBuild
	}
	out.Waiting = func(what string) { w.log.Info().Msgf("waiting for %s", what) }
	return out
}

// needs are what the plan asks of an engine, or of each of several.
func (o buildOptions) needs(p *plan, several bool) engine.Requirements {
	var n engine.Requirements
	for _, t := range p.targets() {
		// Each of several engines builds one platform.
		n.Platforms = n.Platforms || len(t.Platforms) > 1 && !several
		n.Attestations = n.Attestations || t.Provenance != "" || t.SBOM != ""
		n.NamedContexts = n.NamedContexts || len(t.Contexts) > 0
		n.Insecure = n.Insecure || slices.Contains(t.Entitlements, solve.EntitlementSecurityInsecure)
		for _, c := range t.CacheTo {
			n.CacheExport = n.CacheExport || c.Type != cacheInline
		}
		for _, c := range slices.Concat(t.CacheFrom, t.CacheTo) {
			n.S3Cache = n.S3Cache || c.Type == "s3"
		}
	}
	n.CacheExport = n.CacheExport || o.cache == cacheRegistry && o.exportsCache(p)
	n.S3Cache = n.S3Cache || onS3(o.cache)
	return n
}

// engines finds the engine, or one for each platform, once, and says which it took and why.
func (j *job) engines(ctx context.Context) ([]*engine.Engine, error) {
	if j.found != nil {
		return j.found, nil
	}
	engines, err := findEngines(ctx, j.options.engineSearch(j.world, j.plan))
	if err != nil {
		return nil, err
	}
	for _, e := range engines {
		j.log.Info().Msgf("engine%s: %s, since %s", forPlatform(e), e, e.Why)
		j.warnOfNetwork(e)
		if e.ClearText {
			j.log.Warn().Msgf("what is sent to the engine at %s can be read on the way, the registry's login and build secrets included: reach it by TLS (--engine-tls) or ssh://", e.Address)
		}
		if e.Platform != "" && !slices.Contains(e.Platforms, e.Platform) {
			j.log.Info().Msgf("the engine for %s runs programs for %s only: a RUN step would fail there", e.Platform, strings.Join(e.Platforms, ", "))
		}
	}
	j.tellInline(engines)
	j.logNamespace(engines)
	return engines, nil
}

// checkState refuses a state directory that a managed engine could not use,
// before anything is touched.
func (o buildOptions) checkState(w *world, p *plan) error {
	if err := o.engineSearch(w, p).CheckState(); err != nil {
		return fault.New(fault.Usage, err, cmp.Or(hintOf(err), "name another directory with --engine-state, or make this one writable"))
	}
	return nil
}

// platformOf is what an engine builds services for that name no platform.
func platformOf(e *engine.Engine) string {
	if e.Platform != "" || len(e.Platforms) == 0 {
		return e.Platform
	}
	return e.Platforms[0]
}

// platform is what platformOf will say, as far as it can be known before an engine is
// found: the platform that is named first, else this host's. Where the engine turns out to
// have another one, a revision that is there is built again, and found to be the same.
func (o buildOptions) platform(w *world) string {
	if named := o.engineOptions(w).Platforms(); len(named) > 0 {
		return named[0]
	}
	return platforms.Format(platforms.Normalize(platforms.Platform{OS: "linux", Architecture: runtime.GOARCH}))
}

// findEngines finds engines; in CodeBuild there is one reason above all why there is none.
func findEngines(ctx context.Context, o engine.Options) ([]*engine.Engine, error) {
	found, err := engine.Find(ctx, o)
	var none *engine.NotFoundError
	if o.DockerStarts && errors.As(err, &none) {
		return nil, &unprivileged{none}
	}
	return found, err
}

// unprivileged is a CodeBuild job without an engine.
type unprivileged struct{ *engine.NotFoundError }

// Hint names the switch, and then what the search itself has to say.
func (e *unprivileged) Hint() string {
	return "switch on privileged mode in the CodeBuild project's environment, without which no engine runs there; else: " + hintOf(e.NotFoundError)
}

func (e *unprivileged) Unwrap() error { return e.NotFoundError }

// forPlatform tells several engines apart.
func forPlatform(e *engine.Engine) string {
	if e.Platform == "" {
		return ""
	}
	return " for " + e.Platform
}

// tellInline says where the layer cache is not what it would be on other engines.
func (j *job) tellInline(engines []*engine.Engine) {
	if slices.ContainsFunc(engines, func(e *engine.Engine) bool { return j.cacheMode(e) == cacheInline && j.options.cache != cacheInline }) {
		j.log.Info().Msg("layer cache: inline, in the images themselves, for this engine can export no other; a buildkitd beside slipway keeps all stages in the registry")
	}
}

// builders are the engines as the builds see them.
func builders(engines []*engine.Engine) []solve.Engine {
	var out []solve.Engine
	for _, e := range engines {
		b := solve.Engine{Client: e.Client, Session: e.SessionDialer(), Platform: e.Platform}
		if e.Images != nil {
			b.Store = e.Images
		}
		out = append(out, b)
	}
	return out
}

// closeEngines hangs up in the background: stopping a managed engine takes a moment
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
