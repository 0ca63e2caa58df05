package ecs

import (
	"slices"
	"time"
)

// Controller is ECS in one region for an external deployment controller, such
// as CodeDeploy. Apart from Do and OnStep, its methods and those of the values
// that they return may only be called by functions that Do, After and OnStep
// call, which have ECS locked and up to date.
type Controller struct{ e *region }

// Controller returns ECS of a region for a deployment controller.
func (s *Regions) Controller(region string) (*Controller, error) {
	e, err := s.at(region)
	if err != nil {
		return nil, err
	}
	return &Controller{e}, nil
}

// Do calls f with ECS locked and brought up to the clock.
func (c *Controller) Do(f func() error) error { return c.e.do(f) }

// OnStep has ECS call f whenever something may have changed, until f returns
// false: f reports whether it changed something.
func (c *Controller) OnStep(f func() bool) {
	_ = c.e.do(func() error {
		c.e.onStep = append(c.e.onStep, f)
		return nil
	}) // nothing to go wrong
}

// After has ECS call f when a duration of its own time has passed.
func (c *Controller) After(d time.Duration, f func()) { c.e.after(d, f) }

// Now returns the present time.
func (c *Controller) Now() time.Time { return c.e.now() }

// TaskSets returns the task sets of a service that is not INACTIVE. An empty
// cluster is the one called default.
func (c *Controller) TaskSets(cluster, service string) (TaskSets, error) {
	s, err := c.e.service(cluster, service)
	if err != nil {
		return TaskSets{}, err
	}
	return TaskSets{c.e, s}, nil
}

// TaskSets are the task sets of a service. Those of the same service are equal.
type TaskSets struct {
	e *region
	s *service
}

// Service returns the name of the service.
func (t TaskSets) Service() string { return t.s.name }

// Controller returns the service's deployment controller, such as
// "CODE_DEPLOY".
func (t TaskSets) Controller() string { return t.s.controller() }

// All returns the task sets, newest first.
func (t TaskSets) All() []TaskSet {
	var out []TaskSet
	for _, set := range t.s.sets {
		out = append(out, TaskSet{t.e, set})
	}
	return out
}

// TaskSetInput is the input of [TaskSets.Create].
type TaskSetInput struct {
	TaskDefinition string
	ExternalID     string
	// ContainerName and ContainerPort are those that the service's load
	// balancers route to.
	ContainerName string
	ContainerPort int
	// Settings are further fields of the task set, as answers show them.
	Settings map[string]any
}

// Create creates a task set that runs all of the service's desired count. It is
// ACTIVE and gets no traffic before it is promoted.
func (t TaskSets) Create(in TaskSetInput) (TaskSet, error) {
	definition, err := t.e.deployable(in.TaskDefinition)
	if err != nil {
		return TaskSet{}, err
	}
	with := *t.s
	with.parsed.LoadBalancers = slices.Clone(t.s.parsed.LoadBalancers)
	for i := range with.parsed.LoadBalancers {
		lb := &with.parsed.LoadBalancers[i]
		lb.ContainerName, lb.ContainerPort = in.ContainerName, in.ContainerPort
	}
	if err := with.fits(definition); err != nil {
		return TaskSet{}, err
	}
	set := t.e.newTaskSet(t.s, definition, in.ExternalID)
	set.set.settings = object{"loadBalancers": with.parsed.LoadBalancers}
	for name, v := range in.Settings {
		set.set.settings[name] = v
	}
	return TaskSet{t.e, set}, nil
}

// TaskSet is a task set of a service. The zero value stands for none.
type TaskSet struct {
	e *region
	d *deployment
}

// Exists reports whether there is a task set: one that has been removed is gone
// when its last task has stopped.
func (t TaskSet) Exists() bool { return t.d != nil && slices.Contains(t.d.service.sets, t.d) }

// Primary reports whether the task set gets the production traffic.
func (t TaskSet) Primary() bool { return t.d.status == "PRIMARY" }

// Steady reports whether the task set is in STEADY_STATE: all its tasks run and
// are healthy, none is pending.
func (t TaskSet) Steady() bool { return taskSetSteady(t.d) }

// Promote sends the production traffic to the task set.
func (t TaskSet) Promote() { t.e.promoteTaskSet(t.d) }

// Remove has the task set drain.
func (t TaskSet) Remove() { t.e.removeTaskSet(t.d) }
