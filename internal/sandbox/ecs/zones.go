package ecs

import (
	"slices"

	"slipway/internal/sandbox/ecs/taskdef"
)

// zonesOf returns the Availability Zones in which a cluster's tasks can start:
// three, or the one that the cluster's tag slipway.sandbox.zone names.
func (e *region) zonesOf(c *cluster) []string {
	if only := c.tags.Value(taskdef.InstructionPrefix + "zone"); only != "" {
		return []string{only}
	}
	return []string{e.Region + "a", e.Region + "b", e.Region + "c"}
}

// inZones counts a deployment's tasks that are to run in each zone.
func (s *service) inZones(d *deployment, zones []string) []int {
	out := make([]int, len(zones))
	for _, t := range s.tasks {
		if i := slices.Index(zones, t.zone); i >= 0 && t.owner == d && t.desired == "RUNNING" {
			out[i]++
		}
	}
	return out
}

// zoneFor returns the zone with the fewest tasks of a deployment.
func (e *region) zoneFor(d *deployment) string {
	zones := e.zonesOf(d.service.cluster)
	tasks := d.service.inZones(d, zones)
	return zones[slices.Index(tasks, slices.Min(tasks))]
}

// rebalance moves a task of a settled service to a zone with fewer, one after
// the other: it starts a task there, and stops one in the fullest zone when
// that is healthy (guide, "Balancing an Amazon ECS service across Availability
// Zones"). It reports whether it did something, and whether it is waiting.
func (e *region) rebalance(s *service) (did, waits bool) {
	p := s.primary()
	if m := s.moving; m != nil {
		switch {
		case m.desired != "RUNNING" || m.owner != p:
			s.moving = nil
			return true, false
		case !m.healthy:
			return false, true
		}
		s.moving = nil
		e.stopInZone(p, e.fullestZone(p))
		return true, false
	}
	if !s.parsed.rebalances() || !s.steady || s.current().underWay() || p.halted {
		return false, false
	}
	tasks := s.inZones(p, e.zonesOf(s.cluster))
	if slices.Max(tasks)-slices.Min(tasks) < 2 || len(tasks) < 2 || e.lacksCapacity(s, p.revision) {
		return false, false
	}
	e.event(s, " is not AZ balanced in the Availability Zones %s: AZ Rebalancing in progress.", e.zonesOf(s.cluster))
	s.moving = e.launch(p)
	e.eventOfTasks(s, "started", []*task{s.moving})
	return true, false
}

func (e *region) fullestZone(d *deployment) string {
	zones := e.zonesOf(d.service.cluster)
	tasks := d.service.inZones(d, zones)
	return zones[slices.Index(tasks, slices.Max(tasks))]
}

// stopInZone stops the oldest task of a deployment in a zone.
func (e *region) stopInZone(d *deployment, zone string) {
	for _, t := range e.unprotected(d.service.tasks) {
		if t.owner == d && t.desired == "RUNNING" && t.zone == zone {
			e.stop(t, "ServiceSchedulerInitiated", "Scaling activity initiated by (deployment "+d.id+")")
			e.eventOfTasks(d.service, "stopped", []*task{t})
			return
		}
	}
}

// rebalances reports whether Availability Zone rebalancing is on.
func (p serviceSettings) rebalances() bool { return p.Rebalancing == "ENABLED" }
