package ecs

import "slipway/internal/sandbox/ecs/taskdef"

// lacksCapacity reports whether there is no capacity for the tasks of a
// revision.
func (e *region) lacksCapacity(s *service, r *serviceRevision) bool {
	return s.cluster.tags.Value(taskdef.InstructionPrefix+"capacity") == "none" ||
		e.images.LacksCapacity(r.definition.Settings, r.pinned)
}
