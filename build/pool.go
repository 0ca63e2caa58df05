package build

import (
	"slices"
	"strings"

	"slipway/build/engine"
	"slipway/build/target"
	"slipway/project"
	"slipway/registry"
)

// componentName names what an engine of a pool builds, the same in each build: a service, the
// repository of its images, and the platform, if the pool is for one.
func componentName(repository, service, platform string) string {
	return strings.Join([]string{repository, service, platform}, " ")
}

// EngineOrder returns the addresses of the pool's engines that a service is built on, in the
// order in which they are tried, for each platform of several. It is nil without a pool.
func (o Options) EngineOrder(repo registry.Ref, t target.Target) []string {
	var out []string
	pools := o.Engine.Pools()
	for _, platform := range o.poolPlatforms(t) {
		order := engine.Order(componentName(repo.Name, t.Service, platform), pools[platform])
		if len(order) > 0 && platform != "" {
			order[0] = platform + "=" + order[0]
		}
		out = append(out, order...)
	}
	return out
}

// poolPlatforms are the platforms that a target is shared out by: one that is empty if the
// engines are named for none.
func (o Options) poolPlatforms(t target.Target) []string {
	switch {
	case !o.Engine.Several():
		return []string{""}
	case len(t.Platforms) == 0:
		return []string{o.Platform()}
	default:
		return t.Platforms
	}
}

// engineOrder sorts the engines of a pool for a service.
func (j *job) engineOrder(service, platform string, addresses []string) []string {
	return engine.Order(componentName(j.repositoryName(service), service, platform), addresses)
}

// repositoryName is the repository of a service's images.
func (j *job) repositoryName(service string) string {
	for _, c := range j.components {
		if c.Target.Service == service {
			return c.Ref.Name
		}
	}
	i := slices.IndexFunc(j.plan.Bases, func(b project.Base) bool { return b.Target.Service == service })
	if i < 0 {
		return ""
	}
	return j.plan.Bases[i].Ref.Name
}

// warnOfSilent reports an engine of a pool that does not answer.
func (j *job) warnOfSilent(e *engine.SilentError) {
	j.WarnError(e, e.Error()+"; other engines of the pool build its services")
}

// warnOfLost reports an engine of a pool that was lost.
func (j *job) warnOfLost(address string, services []string, why error) {
	j.Warnf("the engine at %s was lost (%v); other engines of the pool build its services: %s",
		address, why, strings.Join(services, ", "))
}

// onePerPlatform returns the first engine of each platform: those of a pool are alike.
func onePerPlatform(engines []*engine.Engine) []*engine.Engine {
	var out []*engine.Engine
	for _, e := range engines {
		if !slices.ContainsFunc(out, func(o *engine.Engine) bool { return o.Platform == e.Platform }) {
			out = append(out, e)
		}
	}
	return out
}

// stillThere returns an engine that is not lost, the first of them; the first of all if each
// is lost.
func stillThere(engines []*engine.Engine) *engine.Engine {
	for _, e := range engines {
		if e.Watch == nil {
			return e
		}
		select {
		case <-e.Watch.Gone():
		default:
			return e
		}
	}
	return engines[0]
}
