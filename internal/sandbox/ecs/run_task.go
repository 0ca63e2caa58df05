package ecs

import (
	"cmp"
	"encoding/json"
	"time"

	"slipway/internal/sandbox/ecs/standalone"
)

type runTaskOut struct {
	Tasks    []object             `json:"tasks"`
	Failures []standalone.Failure `json:"failures"`
}

// runTask starts standalone tasks.
func runTask(e *region, fields map[string]json.RawMessage) (runTaskOut, error) {
	out := runTaskOut{Tasks: []object{}, Failures: []standalone.Failure{}}
	in, err := standalone.Parse(fields)
	if err != nil {
		return out, err
	}
	c, err := e.cluster(in.Cluster)
	if err != nil {
		return out, err
	}
	tasks, done, err := c.tokens.Find(in, e.now(), func(t *task) time.Time { return t.stopped })
	if err == nil && !done {
		tasks, out.Failures, err = e.runStandalone(c, in)
		c.tokens.Keep(in, e.now(), tasks)
	}
	for _, t := range tasks {
		out.Tasks = append(out.Tasks, e.describeTask(t, true))
	}
	return out, err
}

// runStandalone starts the tasks of a request. They are owned by a service without
// a name, which the scheduler does not know.
func (e *region) runStandalone(c *cluster, in standalone.Request) (tasks []*task, failures []standalone.Failure, err error) {
	d, err := e.deployable(in.TaskDefinition)
	if err != nil {
		return nil, nil, err
	}
	s := &service{cluster: c, status: "ACTIVE"}
	if err := cmp.Or(in.Settings(d.Settings, &s.parsed), s.fits(d)); err != nil {
		return nil, nil, err
	}
	owner := &deployment{id: in.StartedBy, service: s, revision: &serviceRevision{definition: d, pinned: e.images.Pin(d.Containers)}}
	n, failures, err := in.Place(s.fargate(), !s.scalesOut() && e.lacksCapacity(s, owner.revision))
	for range n {
		t := e.launch(owner)
		t.group, t.tags = cmp.Or(in.Group, "family:"+d.family), t.tags.Merged(in.Tags)
		tasks = append(tasks, t)
	}
	return tasks, failures, err
}
