package ecs

import (
	"cmp"
	"math"
	"slices"

	"slipway/internal/sandbox/awsapi"
)

// taskSet has the fields of a deployment that is a task set. CodeDeploy or an
// external controller, not ECS, sets how many of its tasks run.
type taskSet struct {
	externalID string
	startedBy  string
	percent    float64 // of the service's desired count
	settings   object  // of the request, answered as they came
}

// newTaskSet creates a task set that runs all of a service's desired count. Its
// images are resolved now, like a deployment's. It is ACTIVE and gets no
// traffic before promoteTaskSet. The caller has ECS locked.
func (e *region) newTaskSet(s *service, d *taskDefinition, externalID string) *deployment {
	out := e.newDeployment(s, d, awsapi.Digits())
	out.status = "ACTIVE"
	out.set = &taskSet{externalID: externalID, percent: 100, settings: object{}}
	if s.controller() == "CODE_DEPLOY" {
		out.set.startedBy = "CODE_DEPLOY"
	}
	s.sets = append([]*deployment{out}, s.sets...)
	return out
}

// scaleTaskSet sets the share of the service's desired count that a task set
// runs.
func (e *region) scaleTaskSet(set *deployment, percent float64) {
	set.set.percent, set.updated = percent, e.now()
}

// promoteTaskSet sends the production traffic to a task set: it becomes
// PRIMARY, the others ACTIVE, and the service gets its task definition.
func (e *region) promoteTaskSet(set *deployment) {
	for _, other := range set.service.sets {
		if other.status == "PRIMARY" {
			other.status, other.updated = "ACTIVE", e.now()
		}
	}
	set.status, set.updated = "PRIMARY", e.now()
	set.service.definition = set.revision.definition
}

// removeTaskSet has a task set drain. It is gone when its last task has
// stopped.
func (e *region) removeTaskSet(set *deployment) {
	set.status, set.set.percent, set.updated = "DRAINING", 0, e.now()
}

// taskSetCount returns the computed desired count, "always rounded up"
// (reference of TaskSet).
func taskSetCount(set *deployment) int {
	return int(math.Ceil(float64(set.service.desired) * set.set.percent / 100))
}

// taskSetSteady reports whether a task set is in STEADY_STATE: all its tasks
// run and are healthy, none is pending.
func taskSetSteady(set *deployment) bool {
	t, want := set.service.counts(set), taskSetCount(set)
	return t.running == want && t.pending == 0 && t.healthy == want
}

// scheduleTaskSets keeps the task sets of a service at their counts.
func (e *region) scheduleTaskSets(s *service) bool {
	changed := false
	for _, set := range s.sets {
		t := s.counts(set)
		switch n := taskSetCount(set) - t.alive; {
		case n > 0:
			changed = e.launchAll(set, n) || changed
		case n < 0:
			changed = e.stopTaskSet(set, -n) || changed
		}
	}
	before := len(s.sets)
	s.sets = slices.DeleteFunc(s.sets, func(set *deployment) bool {
		return set.status == "DRAINING" && s.counts(set).left == 0
	})
	return changed || len(s.sets) != before || e.settleTaskSets(s)
}

func (e *region) stopTaskSet(set *deployment, n int) bool {
	var stopped []*task
	for _, t := range e.unprotected(set.service.tasks) {
		if t.owner == set && t.desired == "RUNNING" && len(stopped) < n {
			e.stop(t, "ServiceSchedulerInitiated", "Scaling activity initiated by (deployment "+set.id+")")
			stopped = append(stopped, t)
		}
	}
	if len(stopped) == 0 {
		return false
	}
	set.service.steady = false
	e.eventOfTasks(set.service, "stopped", stopped)
	return true
}

func (e *region) settleTaskSets(s *service) bool {
	if s.steady || len(s.sets) == 0 || slices.ContainsFunc(s.sets, func(set *deployment) bool { return !taskSetSteady(set) }) {
		return false
	}
	s.steady = true
	e.event(s, " has reached a steady state.")
	return true
}

func (e *region) describeTaskSet(set *deployment) object {
	s, t := set.service, set.service.counts(set)
	out := object{
		"id": set.id, "taskSetArn": e.taskSetARN(set), "serviceArn": s.arn, "clusterArn": s.cluster.arn,
		"status": set.status, "taskDefinition": set.revision.definition.arn,
		"computedDesiredCount": taskSetCount(set), "runningCount": t.running, "pendingCount": t.pending,
		"createdAt": awsapi.Stamp(set.created), "updatedAt": awsapi.Stamp(set.updated), "launchType": s.launchType(),
		"scale":           object{"value": set.set.percent, "unit": "PERCENT"},
		"stabilityStatus": "STABILIZING", "stabilityStatusAt": awsapi.Stamp(e.now()), "loadBalancers": []any{}, "serviceRegistries": []any{}, "tags": []any{},
	}
	if taskSetSteady(set) {
		out["stabilityStatus"] = "STEADY_STATE"
	}
	if set.set.externalID != "" {
		out["externalId"] = set.set.externalID
	}
	if set.set.startedBy != "" {
		out["startedBy"] = set.set.startedBy
	}
	for _, name := range []string{"networkConfiguration", "loadBalancers", "platformVersion"} {
		if v, ok := s.settings[name]; ok {
			out[name] = v
		}
	}
	for name, v := range set.set.settings {
		out[name] = v
	}
	return out
}

func (e *region) taskSetARN(set *deployment) string {
	return e.arn("task-set", set.service.cluster.name, set.service.name, set.id)
}

type taskSetIn struct {
	Cluster        string   `json:"cluster"`
	Service        string   `json:"service"`
	TaskSet        string   `json:"taskSet"`
	TaskSets       []string `json:"taskSets"`
	PrimaryTaskSet string   `json:"primaryTaskSet"`
	TaskDefinition string   `json:"taskDefinition"`
	ExternalID     string   `json:"externalId"`
	Force          bool     `json:"force"`
	Scale          *struct {
		Value float64 `json:"value"`
	} `json:"scale"`
}

type taskSetOut struct {
	TaskSet object `json:"taskSet"`
}

// externalService returns a service whose task sets the API may change: only
// those with the EXTERNAL deployment controller, since CodeDeploy has its own.
func (e *region) externalService(in taskSetIn) (*service, error) {
	s, err := e.service(in.Cluster, in.Service)
	if err == nil && s.controller() != "EXTERNAL" {
		err = parameterError("The service does not use the EXTERNAL deployment controller.")
	}
	return s, err
}

func (s *service) taskSet(id string) (*deployment, error) {
	for _, set := range s.sets {
		if lastPart(set.id) == lastPart(id) {
			return set, nil
		}
	}
	return nil, awsapi.NewError("TaskSetNotFoundException", "TaskSet not found.")
}

func createTaskSet(e *region, in taskSetIn) (out taskSetOut, err error) {
	s, err := e.externalService(in)
	if err != nil {
		return out, err
	}
	d, err := e.deployable(in.TaskDefinition)
	if err != nil {
		return out, err
	}
	set := e.newTaskSet(s, d, in.ExternalID)
	if in.Scale != nil {
		set.set.percent = in.Scale.Value
	}
	return taskSetOut{e.describeTaskSet(set)}, nil
}

type taskSetsOut struct {
	TaskSets []object  `json:"taskSets"`
	Failures []failure `json:"failures"`
}

func describeTaskSets(e *region, in taskSetIn) (taskSetsOut, error) {
	out := taskSetsOut{TaskSets: []object{}, Failures: []failure{}}
	s, err := e.service(in.Cluster, in.Service)
	if err != nil {
		return out, err
	}
	for _, set := range s.sets {
		if len(in.TaskSets) == 0 || slices.ContainsFunc(in.TaskSets, func(id string) bool { return lastPart(id) == lastPart(set.id) }) {
			out.TaskSets = append(out.TaskSets, e.describeTaskSet(set))
		}
	}
	for _, id := range in.TaskSets {
		if _, err := s.taskSet(id); err != nil {
			out.Failures = append(out.Failures, failure{id, "MISSING"})
		}
	}
	return out, nil
}

// changeTaskSet changes a task set and returns it.
func (e *region) changeTaskSet(in taskSetIn, change func(*deployment) error) (out taskSetOut, err error) {
	s, err := e.externalService(in)
	if err != nil {
		return out, err
	}
	set, err := s.taskSet(cmp.Or(in.TaskSet, in.PrimaryTaskSet))
	if err != nil {
		return out, err
	}
	if err := change(set); err != nil {
		return out, err
	}
	return taskSetOut{e.describeTaskSet(set)}, nil
}

func updateTaskSet(e *region, in taskSetIn) (taskSetOut, error) {
	return e.changeTaskSet(in, func(set *deployment) error {
		if in.Scale == nil || in.Scale.Value < 0 || in.Scale.Value > 100 {
			return parameterError("Scale must be between 0 and 100 percent.")
		}
		e.scaleTaskSet(set, in.Scale.Value)
		return nil
	})
}

func updateServicePrimaryTaskSet(e *region, in taskSetIn) (taskSetOut, error) {
	return e.changeTaskSet(in, func(set *deployment) error {
		e.promoteTaskSet(set)
		return nil
	})
}

func deleteTaskSet(e *region, in taskSetIn) (taskSetOut, error) {
	return e.changeTaskSet(in, func(set *deployment) error {
		if set.set.percent > 0 && !in.Force {
			return parameterError("The task set cannot be deleted while it is scaled above 0.")
		}
		e.removeTaskSet(set)
		return nil
	})
}
