package ecs

import (
	"slices"

	"slipway/internal/sandbox/ecs/taskdef"
)

// lacksCapacity tells whether a revision's tasks find no capacity. Labels of images
// are looked at by their digests, before anything is pulled.
func (e *region) lacksCapacity(s *service, r *serviceRevision) bool {
	if s.cluster.tags.value(taskdef.InstructionPrefix+"capacity") == "none" {
		return true
	}
	return slices.ContainsFunc(r.definition.Containers, func(c taskdef.Container) bool {
		p, err := e.images.Pull(c.Image, r.pinned[c.Name], r.definition.Architecture())
		labels := p.Labels
		if err != nil {
			labels = nil
		}
		return c.Instruction("capacity", labels) == "none"
	})
}
