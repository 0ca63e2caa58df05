package sandbox

import (
	"maps"
	"slices"
)

// RunningDigests returns the digests that the running tasks of a service report,
// by container and in order, one entry for each task; nil if there is no such
// service. An empty cluster is the one called default.
func (s *ecsRegions) RunningDigests(region, cluster, service string) map[string][]string {
	e, err := s.at(region)
	if err != nil {
		return nil
	}
	var out map[string][]string
	_ = e.do(func() error {
		found, err := e.service(cluster, service)
		if err == nil {
			out = found.runningDigests()
		}
		return err
	})
	return out
}

// ActiveServices returns the ARNs of the ACTIVE services of a region, in order.
func (s *ecsRegions) ActiveServices(region string) []string {
	e, err := s.at(region)
	if err != nil {
		return nil
	}
	arns := map[string]bool{}
	_ = e.do(func() error {
		for _, found := range e.services() {
			if found.status == "ACTIVE" {
				arns[found.arn] = true
			}
		}
		return nil
	})
	return slices.Sorted(maps.Keys(arns))
}

// SetSpeed sets how much faster than the clock the time of ECS runs from now on,
// in all regions.
func (s *ecsRegions) SetSpeed(speed float64) {
	s.change(func(o *ecsOptions) { o.Speed = speed }, func(e *ecs) { e.timeline.setSpeed(speed) })
}

// SetQuirks sets the quirks of all regions from now on.
func (s *ecsRegions) SetQuirks(q ECSQuirks) {
	s.change(func(o *ecsOptions) { o.Quirks = q }, func(e *ecs) { e.quirks = q })
}

// Settings returns the present speed and quirks.
func (s *ecsRegions) Settings() (speed float64, q ECSQuirks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Speed, s.options.Quirks
}

// CatchUp brings ECS up to the clock.
func (s *ecsRegions) CatchUp() {
	s.change(func(*ecsOptions) {}, func(*ecs) {})
}

// change changes the options of regions to come, and the regions that are there.
func (s *ecsRegions) change(options func(*ecsOptions), present func(*ecs)) {
	s.mu.Lock()
	options(&s.options)
	all := slices.Collect(maps.Values(s.all))
	s.mu.Unlock()
	for _, e := range all {
		_ = e.do(func() error { present(e); return nil }) // nothing to go wrong
	}
}
