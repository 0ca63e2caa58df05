package target

import (
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/project/compose"
)

// WithoutBuild returns the services of a project that have no build section,
// sorted by name. Of the targets, only names, images and settings are set.
func WithoutBuild(p *types.Project) ([]Target, error) {
	var out []Target
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		s := p.Services[name]
		if s.Build != nil || s.Extensions[compose.ExtensionKey] == nil {
			continue
		}
		t := translator{project: p, service: s}
		unbuilt := Target{Service: name, Image: s.Image}
		if err := t.naming(&unbuilt); err != nil {
			return nil, err
		}
		out = append(out, unbuilt)
	}
	return out, nil
}
