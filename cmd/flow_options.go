package cmd

import (
	"slipway/build/engine"
	"slipway/project"
	"slipway/retention"
)

// flowOptions say what a build does beyond its plan. They are complete and
// validated before a build begins.
type flowOptions struct {
	// rebuild builds although a complete revision from the same inputs exists.
	rebuild bool
	// noLatest moves no tag but the revision's own, and writes no definitions.
	noLatest bool
	// create creates missing repositories.
	create bool
	// imageRef is what definitions name: hash, digest or latest.
	imageRef string
	// artifact is the s3:// URL of the definitions; empty for none.
	artifact string
	// cache is the mode of the layer cache.
	cache string
	// cacheGiven reports that the command line or the environment names the cache.
	cacheGiven bool
	// cacheDropped reports that the compose file asks for a cache that is not written.
	cacheDropped bool
	// engine is the engine's address, or a list of PLATFORM=ENGINE; engineSrc names
	// the flag, variable or field that says so.
	engine, engineSrc string
	// engineTLS is a directory with certificates for an engine.
	engineTLS string
	// engineNet is the network of RUN steps on a managed engine.
	engineNet string
	// stateDir keeps a managed engine's cache; empty for the default one.
	stateDir string
	// jobs is the number of components built at a time; 0 for all.
	jobs int
	// failFast stops the other builds when one fails.
	failFast bool
	// pushAttempts is how often a push is tried.
	pushAttempts int
	// retention says which lifecycle policies are written.
	retention retention.Options
}

func (o flowOptions) engineOptions(w *project.Host) engine.Options {
	out := engine.Options{Address: o.engine, AddressFrom: o.engineSrc, StateDir: o.stateDir, Network: engine.Network(o.engineNet), LookupEnv: w.LookupEnv}
	if o.engineTLS != "" {
		out.TLS = project.Absolute(w.Dir, o.engineTLS)
	}
	return out
}
