package ecs

// event writes an event of a service.
func (e *region) event(s *service, format string, args ...any) {
	s.events.Add(e.now(), s.name, format, args...)
}

// eventOfTasks writes one event about several tasks.
func (e *region) eventOfTasks(s *service, did string, tasks []*task) {
	var ids []string
	for _, t := range tasks {
		ids = append(ids, t.id)
	}
	s.events.AddTasks(e.now(), s.name, did, ids)
}
