package build

import (
	"path/filepath"
	"strings"

	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/project"
)

// Confine applies to the flags what the plan says of trust.
func (o *Options) Confine(p *project.Plan) {
	if p.Untrusted.Yes() {
		o.NoLatest = true
	}
}

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

// WithoutExports drops the compose file's own layer caches where none may be
// left, but for those that are part of the image itself.
func (o *Options) WithoutExports(p *project.Plan) {
	if o.exportsCache(p) {
		return
	}
	o.cacheDropped = o.Cache == project.CacheRegistry || project.CacheOnS3(o.Cache)
	for _, t := range p.BuiltTargets() {
		var kept []solve.Cache
		for _, c := range t.CacheTo {
			if c.Type == project.CacheInline {
				kept = append(kept, c)
			} else {
				o.cacheDropped = true
			}
		}
		t.CacheTo = kept
	}
}

// logUntrusted logs why the build is untrusted and what follows from it.
func (j *job) logUntrusted() {
	u := j.plan.Untrusted
	if !u.Yes() && j.options.cacheDropped {
		j.Infof("--no-latest writes no layer cache, also where the compose file names one; --cache on the command line still does")
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
		j.Infof("trusted builds may use this engine: this build has the namespace %s on it and finds none of their layers; `--engine managed` keeps an engine for untrusted builds", name)
	}
}
