package project

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/target"
	"slipway/internal/fault"
	"slipway/registry"
)

// Base is a service without a container and without a repository: other services build
// on its image. The image is pushed by digest, without a tag.
type Base struct {
	Target target.Target
	// Ref is the repository that the image is pushed to: that of the first service, by
	// name, that builds on it.
	Ref registry.Ref
}

// BuiltService is a service with a build section and the repository of its image.
type BuiltService struct {
	Target target.Target
	Ref    registry.Ref
}

// BuiltServices returns the services of a project that have a repository, sorted by
// name. Of their targets, only names and settings are set.
func BuiltServices(project *types.Project, lookupenv func(string) (string, bool)) ([]BuiltService, error) {
	targets, err := target.Unselected(project, nil)
	if err != nil {
		return nil, err
	}
	var out []BuiltService
	for _, t := range targets {
		ref, ok, err := repositoryFor(t, project.Name, lookupenv)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, BuiltService{t, ref})
		}
	}
	return out, nil
}

// repositoryFor returns the repository of a service, and reports whether it has one:
// without a container, only a repository that is named counts.
func repositoryFor(t target.Target, project string, lookupenv func(string) (string, bool)) (registry.Ref, bool, error) {
	if ref, ok, err := namedRepository(t, lookupenv); ok || err != nil || t.Settings.Undeployed {
		return ref, ok, err
	}
	ref, err := RepositoryOf(t, project, lookupenv)
	return ref, err == nil, err
}

// placeBases gives each base the repository that its image is pushed to.
func (p *Plan) placeBases(project *types.Project) error {
	users := usersOf(project, p.Bases)
	for i := range p.Bases {
		name := p.Bases[i].Target.Service
		ref, ok := p.repositoryAbove(name, users, map[string]bool{})
		if !ok {
			link := "{" + name + `: "service:` + name + `"}`
			return fault.NewInput("services."+name,
				"no container runs the image, no service builds on it, and it has no repository",
				"link to it with build.additional_contexts: "+link+", or name a repository with x-slipway.repository")
		}
		p.Bases[i].Ref = ref
	}
	return nil
}

// usersOf returns for each service the services that build on its image, sorted.
func usersOf(project *types.Project, bases []Base) map[string][]string {
	services := maps.Clone(project.Services)
	for _, b := range bases {
		if s, ok := project.DisabledServices[b.Target.Service]; ok {
			services[s.Name] = s
		}
	}
	users := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		if services[name].Build == nil {
			continue
		}
		for _, link := range services[name].Build.AdditionalContexts {
			if to, ok := strings.CutPrefix(link, types.ServicePrefix); ok {
				users[to] = append(users[to], name)
			}
		}
	}
	return users
}

// repositoryAbove returns the repository of the first service that builds on a service's
// image, directly or through other bases.
func (p *Plan) repositoryAbove(service string, users map[string][]string, seen map[string]bool) (registry.Ref, bool) {
	if seen[service] {
		return registry.Ref{}, false
	}
	seen[service] = true
	for _, user := range users[service] {
		for _, c := range p.Components {
			if c.stands(user) {
				return c.Ref, true
			}
		}
		if ref, ok := p.repositoryAbove(user, users, seen); ok {
			return ref, true
		}
	}
	return registry.Ref{}, false
}

// stands reports whether the component's image is a service's.
func (c *Component) stands(service string) bool {
	runs := func(x Container) bool { return x.Service == service }
	return c.Target.Service == service || slices.ContainsFunc(c.Containers, runs)
}

// Inputs returns the checksum of the settings that a target's image is built from:
// target.Target.Inputs, with those of the bases that it builds on. Images of other
// services have checksums of their own.
func (p *Plan) Inputs(t target.Target, platform string) string {
	sums := []string{t.Inputs(p.Root, platform)}
	for _, link := range t.Links() {
		if i := slices.IndexFunc(p.Bases, func(b Base) bool { return b.Target.Service == link }); i >= 0 {
			sums = append(sums, p.Inputs(p.Bases[i].Target, platform))
		}
	}
	if len(sums) == 1 {
		return sums[0]
	}
	sum := sha256.Sum256([]byte(fmt.Sprint(sums)))
	return hex.EncodeToString(sum[:])
}
