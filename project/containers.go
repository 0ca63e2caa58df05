package project

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/target"
	"slipway/internal/fault"
	"slipway/project/compose"
	"slipway/registry"
)

// Container is a container of a task definition that runs the image of a component.
type Container struct {
	// Service is the service of the compose file.
	Service string
	// Name is the container's name in the task definition.
	Name string
	// ECS is the ECS service that the service names for itself, if it does.
	ECS compose.ECS
}

// containersOf returns the container of a service, or none if no ECS service runs its
// image.
func (p *Plan) containersOf(t target.Target) []Container {
	if t.Settings.Undeployed || p.Settings.RunsBefore(t.Service) {
		return nil
	}
	return []Container{{Service: t.Service, Name: t.Container, ECS: t.Settings.ECS}}
}

// Runs reports whether a container of that name runs the component's image.
func (c *Component) Runs(container string) bool {
	return slices.ContainsFunc(c.Containers, func(x Container) bool { return x.Name == container })
}

// containers returns the containers of all components, sorted by service, each with the
// component whose image it runs.
func (p *Plan) containers() (out []deployed) {
	for i := range p.Components {
		for _, c := range p.Components[i].Containers {
			out = append(out, deployed{c, &p.Components[i]})
		}
	}
	slices.SortFunc(out, func(a, b deployed) int { return strings.Compare(a.Service, b.Service) })
	return out
}

// deployed is a container and the component whose image it runs.
type deployed struct {
	Container
	component *Component
}

// checkContainers refuses two containers of one name in a task definition. groups are the
// services that one ECS service runs.
func checkContainers(all []deployed, groups map[compose.ECS][]string) error {
	for _, services := range groups {
		seen := map[string]string{}
		for _, c := range all {
			if !slices.Contains(services, c.Service) {
				continue
			}
			if other, ok := seen[c.Name]; ok {
				return fault.NewInput("services."+c.Service,
					fmt.Sprintf("its container is called %q, like that of service %s in the same task definition", c.Name, other),
					"give one of them another name with x-slipway.container")
			}
			seen[c.Name] = c.Service
		}
	}
	return nil
}

// merge makes one component of services that have one repository and one build, and
// refuses services that would overwrite each other's images. Links to a service that
// another one stands for then lead to that one.
func (p *Plan) merge(project *types.Project) error {
	var out []Component
	at := map[registry.Ref]int{}
	aliases := map[string]string{}
	for _, c := range p.Components {
		i, ok := at[c.Ref]
		if !ok {
			at[c.Ref] = len(out)
			out = append(out, c)
			continue
		}
		first := &out[i]
		if !sameBuild(project, first.Target.Service, c.Target.Service) {
			return fault.NewInput("services."+c.Target.Service,
				fmt.Sprintf("resolves to the repository %s, like service %s", c.Ref, first.Target.Service),
				"give one of them another with x-slipway.repository, "+
					"or give both the same build section to run one image in two containers")
		}
		first.Containers = append(first.Containers, c.Containers...)
		aliases[c.Target.Service] = first.Target.Service
		if c.Build && !first.Build {
			// The name is among the inputs of the image, and must not depend on which
			// of the services are asked for.
			c.Target.Service = first.Target.Service
			first.Target, first.Build = c.Target, true
		}
	}
	p.Components = out
	for _, t := range p.BuiltTargets() {
		relink(t, aliases)
	}
	return nil
}

// sameBuild reports whether the build sections of two services ask for one image.
func sameBuild(project *types.Project, a, b string) bool {
	return reflect.DeepEqual(buildOf(project, a), buildOf(project, b))
}

// buildOf returns the settings that decide the image of a service.
func buildOf(project *types.Project, service string) any {
	s, ok := project.Services[service]
	if !ok {
		s = project.DisabledServices[service]
	}
	build := *s.Build
	// compose-go returns the list in any order.
	build.SSH = slices.Clone(build.SSH)
	slices.SortFunc(build.SSH, func(a, b types.SSHKey) int { return strings.Compare(a.ID+a.Path, b.ID+b.Path) })
	return []any{build, s.Platform}
}

// relink makes links to some services lead to those that stand for them.
func relink(t *target.Target, aliases map[string]string) {
	t.Contexts = maps.Clone(t.Contexts)
	for name, c := range t.Contexts {
		if other, ok := aliases[c.Service]; ok {
			c.Service = other
			t.Contexts[name] = c
		}
	}
}
