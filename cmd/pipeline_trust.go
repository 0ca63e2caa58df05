package cmd

import (
	"strings"

	"slipway/build/engine"
)

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
		j.Infof("trusted builds may use this engine: this build has the namespace %s on it and finds none of their layers; `--engine own` keeps an engine for untrusted builds", name)
	}
}
