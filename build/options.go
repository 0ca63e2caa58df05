package build

import (
	"slipway/build/engine"
	"slipway/project"
	"slipway/retention"
)

// Options say what a build does beyond its plan. They are complete and
// validated before a build begins.
type Options struct {
	// Rebuild builds although a complete revision from the same inputs exists.
	Rebuild bool
	// NoLatest moves no tag but the revision's own, and writes no definitions.
	NoLatest bool
	// Create creates missing repositories.
	Create bool
	// ImageRef is what definitions name: hash, digest or latest.
	ImageRef string
	// Artifact is the s3:// URL of the definitions; empty for none.
	Artifact string
	// Cache is the mode of the layer cache.
	Cache string
	// CacheGiven reports that the command line or the environment names the cache.
	CacheGiven bool
	// cacheDropped reports that the compose file asks for a cache that is not written.
	cacheDropped bool
	// Engine is the engine's address, or a list of PLATFORM=ENGINE; engineSrc names
	// the flag, variable or field that says so.
	Engine, EngineSrc string
	// EngineTLS is a directory with certificates for an engine.
	EngineTLS string
	// EngineNet is the network of RUN steps on a managed engine.
	EngineNet string
	// StateDir keeps a managed engine's cache; empty for the default one.
	StateDir string
	// Jobs is the number of components built at a time; 0 for all.
	Jobs int
	// FailFast stops the other builds when one fails.
	FailFast bool
	// PushAttempts is how often a push is tried.
	PushAttempts int
	// Retention says which lifecycle policies are written.
	Retention retention.Options
}

func (o Options) EngineOptions(w *project.Host) engine.Options {
	out := engine.Options{Address: o.Engine, AddressFrom: o.EngineSrc, TLSFrom: "--engine-tls", NetworkFrom: "--engine-network", StateDir: o.StateDir, Network: engine.Network(o.EngineNet), LookupEnv: w.LookupEnv}
	if o.EngineTLS != "" {
		out.TLS = project.Absolute(w.Dir, o.EngineTLS)
	}
	return out
}
