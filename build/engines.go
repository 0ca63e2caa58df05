package build

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/platforms"

	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/fault"
	"slipway/project"
)

// EngineSearch says where the engine may be and what the plan asks of it. The plan may be
// nil: nothing is asked then.
func (o Options) EngineSearch(w *project.Host, p *project.Plan) engine.Options {
	out := o.Engine
	if p != nil && p.Untrusted.Yes() {
		out.StateDir = untrustedStateDir(out.StateDir)
	}
	if p != nil {
		out.Requirements = o.needs(p, len(out.Platforms()) > 0)
		out.DockerStarts = p.Env.InCodeBuild
	}
	out.Waiting = func(what string) { w.Infof("waiting for %s", what) }
	return out
}

// needs returns the capabilities that the plan needs of an engine, or of each
// of several.
func (o Options) needs(p *project.Plan, several bool) engine.Requirements {
	var n engine.Requirements
	for _, t := range o.Targets(p) {
		// Each of several engines builds one platform.
		n.Platforms = n.Platforms || len(t.Platforms) > 1 && !several
		n.Attestations = n.Attestations || t.Provenance != "" || t.SBOM != ""
		n.Reproducible = n.Reproducible || t.Reproducible
		n.NamedContexts = n.NamedContexts || len(t.Contexts) > 0
		n.Insecure = n.Insecure || slices.Contains(t.Entitlements, target.EntitlementSecurityInsecure)
		for _, c := range t.CacheTo {
			n.CacheExport = n.CacheExport || c.Type != project.CacheInline
		}
		for _, c := range slices.Concat(t.CacheFrom, t.CacheTo) {
			n.S3Cache = n.S3Cache || c.Type == "s3"
		}
	}
	n.Mirrors = len(p.Mirrors) > 0
	n.CacheExport = n.CacheExport || o.Cache == project.CacheRegistry && o.exportsCache(p)
	n.S3Cache = n.S3Cache || project.CacheOnS3(o.Cache)
	return n
}

// engines finds the engine, or those for each platform, once, and says which it took and why.
func (j *job) engines(ctx context.Context) ([]*engine.Engine, error) {
	if j.found != nil {
		return j.found, nil
	}
	search := j.options.EngineSearch(j.Host, j.plan)
	search.Silent = j.warnOfSilent
	engines, err := FindEngines(ctx, search)
	if err != nil {
		return nil, err
	}
	for _, e := range engines {
		j.Infof("engine%s: %s, since %s", forPlatform(e), e, e.Why)
		j.warnOfNetwork(e)
		if e.ClearText {
			j.warn(ClearText,
				"the connection to the engine at %s is not encrypted; registry credentials and build secrets are sent in clear text", e.Address)
		}
		if e.Platform != "" && !slices.Contains(e.Platforms, e.Platform) {
			j.Infof("the engine for %s runs programs for %s only: a RUN step would fail there", e.Platform, strings.Join(e.Platforms, ", "))
		}
	}
	j.warnOfCaches(engines)
	j.logInlineCache(engines)
	j.logNamespace(engines)
	return engines, nil
}

// CheckState refuses a state directory that a managed engine could not use,
// before anything is touched.
func (o Options) CheckState(w *project.Host, p *project.Plan) error {
	err := o.EngineSearch(w, p).CheckState()
	var state *engine.StateError
	if err == nil || errors.As(err, &state) {
		return fault.As(fault.Usage, err)
	}
	return &Error{Problem: BadStateDir, Err: err, kind: fault.Usage}
}

// platformOf returns the platform for which an engine builds services that name
// none.
func platformOf(e *engine.Engine) string {
	if e.Platform != "" || len(e.Platforms) == 0 {
		return e.Platform
	}
	return e.Platforms[0]
}

// Platform returns the result of platformOf, as far as it can be known before
// an engine is found: the platform that is named first, else that of this host.
// If the engine turns out to have another one, an existing revision is built
// again, and found to be the same.
func (o Options) Platform() string {
	if named := o.Engine.Platforms(); len(named) > 0 {
		return named[0]
	}
	return platforms.Format(platforms.Normalize(platforms.Platform{OS: "linux", Architecture: runtime.GOARCH}))
}

// FindEngines finds engines; in CodeBuild there is one reason above all why there is none.
func FindEngines(ctx context.Context, o engine.Options) ([]*engine.Engine, error) {
	found, err := engine.Find(ctx, o)
	var none *engine.NotFoundError
	if o.DockerStarts && errors.As(err, &none) {
		return nil, &UnprivilegedError{none}
	}
	return found, err
}

// UnprivilegedError is a CodeBuild job without an engine.
type UnprivilegedError struct{ *engine.NotFoundError }

// Unwrap returns the result of the search.
func (e *UnprivilegedError) Unwrap() error { return e.NotFoundError }

// forPlatform returns words that distinguish several engines.
func forPlatform(e *engine.Engine) string {
	if e.Platform == "" {
		return ""
	}
	return " for " + e.Platform
}

// logInlineCache says where the layer cache is not what it would be on other engines.
func (j *job) logInlineCache(engines []*engine.Engine) {
	if slices.ContainsFunc(engines, func(e *engine.Engine) bool {
		return j.cacheMode(e) == project.CacheInline && j.options.Cache != project.CacheInline
	}) {
		j.Infof("layer cache: inline, in the images, because this engine can export no other; install buildkitd next to slipway to keep all stages in the registry")
	}
}

// builders are the engines as the builds see them.
func builders(engines []*engine.Engine) []solve.Engine {
	var out []solve.Engine
	for _, e := range engines {
		b := solve.Engine{Client: e.Client, Session: e.SessionDialer(), Address: e.Address, Platform: e.Platform}
		if e.Watch != nil {
			b.Watch = e.Watch
		}
		if e.Images != nil {
			b.Store = e.Images
		}
		out = append(out, b)
	}
	return out
}

// closeEngines hangs up in the background: stopping a managed engine takes a moment
// that the tags need not wait for. Release.Close waits for it.
func (j *job) closeEngines(ctx context.Context, engines []*engine.Engine) {
	for _, e := range engines {
		j.closing.Go(func() {
			if err := e.Close(context.WithoutCancel(ctx)); err != nil {
				j.Warnf("closing the engine: %v", err)
			}
		})
	}
}

// warnOfNetwork says which network RUN steps have where it is not the one that
// they should have.
func (j *job) warnOfNetwork(e *engine.Engine) {
	if t := e.NetworkTrouble; t != nil {
		j.WarnError(t, t.Error())
	}
}
