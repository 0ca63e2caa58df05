package cmd

import (
	"path/filepath"

	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/project"
)

// confine applies to the flags what the plan says of trust.
func (o *flowOptions) confine(p *project.Plan) {
	if p.Untrusted.Yes() {
		o.noLatest = true
	}
}

// untrustedStateDir is where an engine that slipway starts keeps the layers of
// Untrusted builds: within the state directory of trusted ones, which it never
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
func (o flowOptions) exportsCache(p *project.Plan) bool {
	switch {
	case p.Untrusted.Yes():
		return false
	case o.noLatest:
		return o.cacheGiven && o.cache != project.CacheAuto && o.cache != project.CacheNone
	default:
		return true
	}
}

// withoutExports drops the compose file's own layer caches where none may be
// left, but for those that are part of the image itself.
func (o *flowOptions) withoutExports(p *project.Plan) {
	if o.exportsCache(p) {
		return
	}
	o.cacheDropped = o.cache == project.CacheRegistry || project.CacheOnS3(o.cache)
	for i := range p.Components {
		t := &p.Components[i].Target
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
