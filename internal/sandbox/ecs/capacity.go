package ecs

import (
	"slices"

	"slipway/internal/sandbox/ecs/taskdef"
)

// lacksCapacity reports whether there is no capacity for the tasks of a
// revision. It reads the labels of images by their digests, before a task pulls
// them.
func (e *region) lacksCapacity(s *service, r *serviceRevision) bool {
	if s.cluster.tags.Value(taskdef.InstructionPrefix+"capacity") == "none" {
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
