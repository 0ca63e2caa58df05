package engine

import (
	"fmt"

	"golang.org/x/mod/semver"

	"slipway/internal/fault"
)

// Requirements are the capabilities that a build needs, beyond those of every
// engine.
type Requirements struct {
	// Platforms reports that a service is built for several platforms at once.
	Platforms bool
	// Attestations reports that a service wants provenance or an SBOM.
	Attestations bool
	// NamedContexts reports that a service has additional contexts.
	NamedContexts bool
	// Insecure reports that a step wants security.insecure.
	Insecure bool
	// CacheExport reports that layer caches are to be exported, other than
	// inline.
	CacheExport bool
	// S3Cache reports that layer caches are kept on S3.
	S3Cache bool
	// Mirrors requires that the engine pulls images from mirrors.
	Mirrors bool
	// Reproducible requires that the engine rewrites the times in an image.
	Reproducible bool
}

// Docker engines of API version 1.42 (Docker 23) are the first whose Dockerfile frontend
// knows named contexts; older ones ignore them without a word.
const namedContextsAPI = "1.42"

// BuildKit v0.13 is the first whose exporter rewrites times; older ones ignore the
// attribute (docs/build-repro.md of BuildKit).
const rewritingBuildKit = "v0.13.0"

// rewritesTimes reports whether the engine can rewrite the times in an image. An
// engine without a version that can be compared is taken for a current one.
func (e *Engine) rewritesTimes() bool {
	old := semver.IsValid(e.BuildKit) && semver.Compare(e.BuildKit, rewritingBuildKit) < 0
	return e.Images == nil && !old
}

// BuildKit v0.11 is the first with source policies, and Docker's API version 1.43
// (Docker 24) the first whose BuildKit has them; older ones ignore a policy
// (docs/build-repro.md of BuildKit).
const (
	policyBuildKit  = "v0.11.0"
	policyDockerAPI = "1.43"
)

// RewritesNames reports whether the engine pulls images from other places than
// their names say. An engine without a version that can be compared is taken for a
// current one.
func (e *Engine) RewritesNames() bool {
	if e.Kind == Docker && e.docker != nil && e.docker.olderThan(policyDockerAPI) {
		return false
	}
	return !semver.IsValid(e.BuildKit) || semver.Compare(e.BuildKit, policyBuildKit) >= 0
}

// missing says what of the needs the engine cannot do.
func (e *Engine) missing(n Requirements) []string {
	var out []string
	add := func(needed bool, what string) {
		if needed {
			out = append(out, what)
		}
	}
	add(n.Mirrors && !e.RewritesNames(), "pull images from mirrors")
	add(n.Reproducible && !e.rewritesTimes(), "make reproducible images")
	if e.Kind != Docker {
		return out
	}
	classic := e.Images != nil
	add(classic && n.Platforms, "build for several platforms at once")
	add(classic && n.Attestations, "make attestations")
	add(classic && n.CacheExport, "export a layer cache")
	add(n.S3Cache, "keep a layer cache on S3")
	add(n.Insecure, "allow security.insecure")
	add(n.NamedContexts && e.docker.olderThan(namedContextsAPI), "read additional contexts")
	return out
}

// CannotError is an engine that cannot do what a build needs. Nothing was built.
type CannotError struct {
	Engine *Engine
	// Lacks are the missing capabilities.
	Lacks []string
}

// Error names the engine and what it cannot do.
func (e *CannotError) Error() string {
	return fmt.Sprintf("the engine %s cannot %s", e.Engine, sentence(e.Lacks))
}

// Kind returns fault.Usage.
func (e *CannotError) Kind() fault.Kind { return fault.Usage }

// ContainerdStore reports whether a Docker engine with the containerd store could
// do the build.
func (e *CannotError) ContainerdStore() bool {
	return e.Engine.Images != nil && (&Engine{Kind: Docker, docker: e.Engine.docker}).supports(e.Lacks)
}

// supports reports whether an engine could do all of what another one lacks.
func (e *Engine) supports(lacked []string) bool {
	all := e.missing(Requirements{Platforms: true, Attestations: true, NamedContexts: true, Insecure: true, CacheExport: true, S3Cache: true, Reproducible: true, Mirrors: true})
	for _, one := range all {
		for _, l := range lacked {
			if one == l {
				return false
			}
		}
	}
	return true
}

// sentence joins what cannot be done.
func sentence(parts []string) string {
	out := ""
	for i, p := range parts {
		switch {
		case i == 0:
		case i == len(parts)-1:
			out += " or "
		default:
			out += ", "
		}
		out += p
	}
	return out
}
