package ecs

import (
	"maps"
	"slices"
)

// RunningDigests returns the digests that the running tasks of a service
// report, by container and in order, one entry for each task; nil if there is
// no such service. An empty cluster is the one called default.
func (s *Regions) RunningDigests(region, cluster, service string) map[string][]string {
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
func (s *Regions) ActiveServices(region string) []string {
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

// SetSpeed sets how much faster than the clock the time of ECS runs from now
// on, in all regions.
func (s *Regions) SetSpeed(speed float64) {
	s.change(func(o *Options) { o.Speed = speed }, func(e *region) { e.timeline.SetSpeed(speed) })
}

// SetQuirks sets the quirks of all regions from now on.
func (s *Regions) SetQuirks(q Quirks) {
	s.change(func(o *Options) { o.Quirks = q }, func(e *region) { e.quirks = q })
}

// Settings returns the present speed and quirks.
func (s *Regions) Settings() (speed float64, q Quirks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Speed, s.options.Quirks
}

// CatchUp brings ECS up to the clock.
func (s *Regions) CatchUp() {
	s.change(func(*Options) {}, func(*region) {})
}

// change changes the options of regions to come, and the regions that are
// there.
func (s *Regions) change(options func(*Options), present func(*region)) {
	s.mu.Lock()
	options(&s.options)
	all := slices.Collect(maps.Values(s.all))
	s.mu.Unlock()
	for _, e := range all {
		_ = e.do(func() error { present(e); return nil }) // nothing to go wrong
	}
}
