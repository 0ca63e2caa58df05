package build

import (
	"path/filepath"
	"slices"
	"strings"

	"slipway/build/engine"
	"slipway/build/target"
	"slipway/project"
)

// untrustedStateDir is where an engine that slipway starts keeps the layers of
// untrusted builds: within the state directory of trusted ones, which it never
// reads.
func untrustedStateDir(dir string) string {
	if dir == "" {
		dir = engine.DefaultStateDir()
	}
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "untrusted")
}

// exportsCache reports whether the build may leave a layer cache where others
// read it. With --no-latest, only a --cache on the command line says so.
func (o Options) exportsCache(p *project.Plan) bool {
	switch {
	case p.Untrusted.Yes():
		return false
	case o.NoLatest:
		return o.CacheGiven && o.Cache != project.CacheAuto && o.Cache != project.CacheNone
	default:
		return true
	}
}

// Targets returns the services to build, with the compose file's own layer caches
// that the build may write. Where it may leave none, those that are part of the
// image itself remain.
func (o Options) Targets(p *project.Plan) []target.Target {
	targets := p.Targets()
	if o.exportsCache(p) {
		return targets
	}
	for i := range targets {
		targets[i].CacheTo = slices.DeleteFunc(slices.Clone(targets[i].CacheTo), leavesCache)
	}
	return targets
}

// leavesCache reports whether a layer cache is kept apart from the image.
func leavesCache(c target.Cache) bool { return c.Type != project.CacheInline }

// dropsCache reports whether the compose file asks for a layer cache that the build
// may not write.
func (o Options) dropsCache(p *project.Plan) bool {
	if o.exportsCache(p) {
		return false
	}
	return o.Cache == project.CacheRegistry || project.CacheOnS3(o.Cache) ||
		slices.ContainsFunc(p.Targets(), func(t target.Target) bool { return slices.ContainsFunc(t.CacheTo, leavesCache) })
}

// logUntrusted logs why the build is untrusted and what follows from it.
func (j *job) logUntrusted() {
	u := j.plan.Untrusted
	if !u.Yes() && j.options.dropsCache(j.plan) {
		j.note(CacheNotWritten, "no layer cache is written, also where the compose file names one")
	}
	if !u.Yes() {
		return
	}
	j.Infof("untrusted build, since %s: it writes only %s, and neither moves a tag nor exports a layer cache", u.Why, j.plan.Hash.Name)
	if len(u.Ignored) > 0 {
		j.Infof("ignored in an untrusted build: %s", strings.Join(u.Ignored, ", "))
	}
}

// namespaceOn is the namespace that the builds have on the engines, empty where
// nothing needs to be kept apart. An engine that slipway starts has a state
// directory for untrusted builds; on any other, trusted builds find the layers
// of all others.
func (j *job) namespaceOn(engines []*engine.Engine) string {
	if !j.plan.Untrusted.Yes() {
		return ""
	}
	for _, e := range engines {
		if e.Kind != engine.Managed {
			return j.plan.Untrusted.Namespace()
		}
	}
	return ""
}

// logNamespace says that the cache of a shared engine is not used.
func (j *job) logNamespace(engines []*engine.Engine) {
	if name := j.namespaceOn(engines); name != "" {
		j.note(SharedEngine, "trusted builds may use this engine: this build has the namespace %s on it and finds none of their layers", name)
	}
}
