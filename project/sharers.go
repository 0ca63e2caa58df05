package project

import (
	"fmt"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/target"
	"slipway/internal/fault"
	"slipway/project/compose"
)

// sharer is a service without a build section whose container runs the image of
// another service.
type sharer struct {
	target target.Target
	// of is the service that is built.
	of BuiltService
}

// sharersOf returns the services whose containers run images of others, sorted by
// name: x-slipway.image-of names the service, or image names its repository. An
// ECS service or a container that is named for any other image is refused.
func sharersOf(project *types.Project, built []BuiltService) ([]sharer, error) {
	targets, err := target.WithoutBuild(project)
	if err != nil {
		return nil, err
	}
	var out []sharer
	for _, t := range targets {
		settings := t.Settings
		if !mayShare(t) {
			continue
		}
		i := slices.IndexFunc(built, func(b BuiltService) bool { return runsImageOf(t, b) })
		if i < 0 {
			return nil, fault.NewInput("services."+t.Service+".x-slipway", noImage(settings), "let x-slipway.image-of name the service that builds the image, or image name its repository")
		}
		out = append(out, sharer{t, built[i]})
	}
	return out, nil
}

// mayShare reports whether the settings of a service without a build section say that its
// container runs an image of the project.
func mayShare(t target.Target) bool {
	return t.Settings.ECS != (compose.ECS{}) || t.Settings.ImageOf != "" || t.Settings.Container != ""
}

func noImage(s compose.ServiceSettings) string {
	if s.ImageOf != "" {
		return fmt.Sprintf("image-of: no service %s has a build section and a repository", s.ImageOf)
	}
	return "names a container, and no service of the project builds its image"
}

// runsImageOf reports whether a container runs the image of a service.
func runsImageOf(t target.Target, b BuiltService) bool {
	if t.Settings.ImageOf != "" {
		return t.Settings.ImageOf == b.Target.Service
	}
	ref, ok := RepositoryOfImage(t.Image)
	return ok && MayBeSame(ref, b.Ref)
}

// addSharers lets the components have the containers of other services that run
// their images.
func (p *Plan) addSharers(project *types.Project) error {
	var built []BuiltService
	for _, c := range p.Components {
		built = append(built, BuiltService{c.Target, c.Ref})
	}
	all, err := sharersOf(project, built)
	if err != nil {
		return err
	}
	for _, s := range all {
		c := p.Component(s.of.Target.Service)
		c.Containers = append(c.Containers, p.containersOf(s.target)...)
	}
	return nil
}
