package sandbox

import (
	"maps"
	"slices"
)

// RunningDigests are the digests that the running tasks of a service in the
// default region report, by container and in order, one entry for each task;
// nil if there is no such service. An empty cluster is the one called default.
func (s *Server) RunningDigests(cluster, service string) map[string][]string {
	e, err := s.ecsAt(s.options.Region)
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

// ECSServices lists the ARNs of the services in the default region that are
// ACTIVE, in order.
func (s *Server) ECSServices() []string {
	e, err := s.ecsAt(s.options.Region)
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
