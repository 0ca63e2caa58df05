// Package planned prints what `build --plan` prints: the services as they would
// be built, without any secret.
package planned

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/build"
	"slipway/build/target"
	"slipway/internal/phrase"
	"slipway/internal/redact"
	"slipway/project"
	"slipway/registry"
)

// Service is one element of the array that `build --plan --output json` prints.
// docs/plan.md describes it.
type Service struct {
	Service    string                    `json:"service"`
	Container  string                    `json:"container"`
	Containers []Container               `json:"containers,omitempty"`
	Repository string                    `json:"repository"`
	Account    string                    `json:"account,omitempty"`
	Region     string                    `json:"region,omitempty"`
	Context    string                    `json:"context"`
	Contexts   map[string]target.Context `json:"contexts,omitempty"`
	Dockerfile string                    `json:"dockerfile"`
	Target     string                    `json:"target,omitempty"`
	Args       map[string]string         `json:"args,omitempty"`
	Platforms  []string                  `json:"platforms,omitempty"`
	Engines    []string                  `json:"engines,omitempty"`
	Labels     map[string]string         `json:"labels,omitempty"`
	Secrets    []string                  `json:"secrets,omitempty"`
	SSH        []string                  `json:"ssh,omitempty"`
	Allow      []string                  `json:"entitlements,omitempty"`
	Cache      Cache                     `json:"cache"`
	Compress   target.Compression        `json:"compression,omitempty"`
	Repro      bool                      `json:"reproducible,omitempty"`
	Tags       []string                  `json:"tags"`
	Definition string                    `json:"definition,omitempty"`
	Inputs     string                    `json:"inputs"`
	// Untrusted is why the build is untrusted, as a phrase; left out for a trusted one.
	Untrusted string `json:"untrusted,omitempty"`
	Retention string `json:"retention"`
}

// Container is one of several containers that run the image.
type Container struct {
	Service    string `json:"service"`
	Container  string `json:"container"`
	Definition string `json:"definition,omitempty"`
}

// Cache is where the layers of a service are read from and written to.
type Cache struct {
	Mode string         `json:"mode"`
	From []target.Cache `json:"from,omitempty"`
	To   []target.Cache `json:"to,omitempty"`
}

// inlineDockerfile stands for a Dockerfile that the compose file holds.
const inlineDockerfile = "(inline)"

// Services returns the services of a plan that have something to build, by name.
func Services(p *project.Plan, o build.Options) []Service {
	out := []Service{}
	targets := map[string]target.Target{}
	for _, t := range o.Targets(p) {
		targets[t.Service] = t
	}
	for _, c := range p.Components {
		if !c.Build {
			continue
		}
		s := serviceOf(p, o, targets[c.Target.Service], c.Ref)
		s.Tags = []string{p.Hash.Name}
		if !o.NoLatest {
			s.Tags = append(append(s.Tags, c.ExtraTags...), registry.TagLatest)
		}
		s.addContainers(p, o, c.Containers)
		out = append(out, s)
	}
	for _, b := range p.Bases {
		out = append(out, serviceOf(p, o, targets[b.Target.Service], b.Ref))
	}
	slices.SortFunc(out, func(a, b Service) int { return strings.Compare(a.Service, b.Service) })
	return out
}

// addContainers adds the containers that run the image, and the definitions files that
// name them.
func (s *Service) addContainers(p *project.Plan, o build.Options, containers []project.Container) {
	var all []Container
	for _, c := range containers {
		container := Container{Service: c.Service, Container: c.Name}
		for _, f := range p.Files {
			if !o.NoLatest && slices.Contains(f.Services, c.Service) {
				container.Definition = f.Path
			}
		}
		all = append(all, container)
	}
	if len(all) > 0 {
		own := all[max(0, slices.IndexFunc(all, func(c Container) bool { return c.Service == s.Service }))]
		s.Container, s.Definition = own.Container, own.Definition
	}
	if len(all) > 1 {
		s.Containers = all
	}
}

// serviceOf returns a service as it is built and pushed, without tags and containers.
func serviceOf(p *project.Plan, o build.Options, t target.Target, repo registry.Ref) Service {
	s := Service{
		Service: t.Service, Repository: repo.Name, Account: repo.Account, Region: repo.Region,
		Context: t.Context.Redacted().String(), Dockerfile: t.Dockerfile, Target: t.Target,
		Args: redactedArgs(t.Args), Platforms: t.Platforms, Engines: o.EngineOrder(repo, t), Labels: t.Labels, Allow: t.Entitlements,
		Cache: Cache{o.Cache, redactedCaches(t.CacheFrom), redactedCaches(t.CacheTo)},
		Tags:  []string{}, Compress: t.Compression, Repro: t.Reproducible,
		Inputs: p.Inputs(t, o.Platform()), Untrusted: p.Untrusted.Why, Retention: retentionPolicy(o, p),
	}
	if t.DockerfileInline != "" {
		s.Dockerfile = inlineDockerfile
	}
	for name, c := range t.Contexts {
		if s.Contexts == nil {
			s.Contexts = map[string]target.Context{}
		}
		s.Contexts[name] = c.Redacted()
	}
	for _, secret := range t.Secrets {
		s.Secrets = append(s.Secrets, secret.ID)
	}
	for _, k := range t.SSH {
		s.SSH = append(s.SSH, k.ID)
	}
	return s
}

// redactedArgs returns build arguments without the values of those that are named like
// credentials. An argument is no secret, but many are given one.
func redactedArgs(args map[string]string) map[string]string {
	args = maps.Clone(args)
	for name, value := range args {
		if value != "" && redact.Credential(name) {
			args[name] = redact.Mark
		}
	}
	return args
}

func redactedCaches(caches []target.Cache) []target.Cache {
	var out []target.Cache
	for _, c := range caches {
		out = append(out, c.Redacted())
	}
	return out
}

// retentionPolicy returns when the planned build would write lifecycle policies.
func retentionPolicy(o build.Options, p *project.Plan) string {
	switch {
	case p.Untrusted.Yes():
		return "no lifecycle policy is written by an untrusted build"
	case o.NoLatest:
		return "no lifecycle policy is written with --no-latest"
	}
	return fmt.Sprintf("%s, written when the tags have moved; if images that slipway did not push would expire, only by slipway retention --apply", phrase.Count(o.Retention.Days, "day"))
}
