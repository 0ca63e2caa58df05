package ecs

import (
	"cmp"
	"slices"

	"slipway/internal/sandbox/awsapi"
)

type listTasksIn struct {
	awsapi.Paging
	Cluster       string `json:"cluster"`
	ServiceName   string `json:"serviceName"`
	Family        string `json:"family"`
	StartedBy     string `json:"startedBy"`
	DesiredStatus string `json:"desiredStatus"`
	LaunchType    string `json:"launchType"`
}

type listTasksOut struct {
	TaskArns  []string `json:"taskArns"`
	NextToken string   `json:"nextToken,omitempty"`
}

// listTasks goes by the desired status, RUNNING by default, as the reference
// has it: a task that is being stopped is no longer listed, although it runs.
func listTasks(e *region, in listTasksIn) (out listTasksOut, err error) {
	c, err := e.cluster(in.Cluster)
	if err != nil {
		return out, err
	}
	switch in.DesiredStatus {
	case "", "RUNNING", "PENDING", "STOPPED":
	default:
		return out, parameterError("Invalid desired status: %s", in.DesiredStatus)
	}
	if in.ServiceName != "" {
		if _, err := e.service(in.Cluster, in.ServiceName); err != nil {
			return out, err
		}
	}
	arns := []string{}
	for _, t := range c.tasks {
		if in.matches(t) && !t.expired(e.now()) {
			arns = append(arns, t.arn)
		}
	}
	slices.Sort(arns)
	out.TaskArns, out.NextToken, err = awsapi.PageOfARNs(in.Paging, 100, arns)
	return out, err
}

// matches applies the filters. PENDING is not a status that ECS desires of a
// task, so that it matches none ("no matches" in the reference).
func (in listTasksIn) matches(t *task) bool {
	return t.desired == cmp.Or(in.DesiredStatus, "RUNNING") &&
		(in.ServiceName == "" || lastPart(in.ServiceName) == t.service.name) &&
		(in.Family == "" || in.Family == t.definition.family) &&
		(in.StartedBy == "" || in.StartedBy == t.owner.id) &&
		(in.LaunchType == "" || in.LaunchType == t.service.launchType())
}

type describeTasksIn struct {
	Cluster string   `json:"cluster"`
	Tasks   []string `json:"tasks"`
	Include []string `json:"include"`
}

type describeTasksOut struct {
	Tasks    []object  `json:"tasks"`
	Failures []failure `json:"failures"`
}

func describeTasks(e *region, in describeTasksIn) (describeTasksOut, error) {
	out := describeTasksOut{Tasks: []object{}, Failures: []failure{}}
	c, err := e.cluster(in.Cluster)
	switch {
	case err != nil:
		return out, err
	case len(in.Tasks) == 0:
		return out, parameterError("Tasks cannot be empty.")
	case len(in.Tasks) > 100:
		return out, parameterError("Tasks cannot have more than 100 entries.")
	}
	for _, id := range in.Tasks {
		if t := e.task(c, id); t != nil {
			out.Tasks = append(out.Tasks, e.describeTask(t, slices.Contains(in.Include, "TAGS")))
		} else {
			out.Failures = append(out.Failures, failure{e.arn("task", c.name, lastPart(id)), "MISSING"})
		}
	}
	return out, nil
}

// task returns a task that is still shown, nil if there is none.
func (e *region) task(c *cluster, id string) *task {
	for _, t := range c.tasks {
		if t.id == lastPart(id) && !t.expired(e.now()) {
			return t
		}
	}
	return nil
}

type stopTaskIn struct {
	Cluster string `json:"cluster"`
	Task    string `json:"task"`
	Reason  string `json:"reason"`
}

type stopTaskOut struct {
	Task object `json:"task"`
}

func stopTask(e *region, in stopTaskIn) (out stopTaskOut, err error) {
	c, err := e.cluster(in.Cluster)
	if err != nil {
		return out, err
	}
	t := e.task(c, in.Task)
	if t == nil {
		return out, parameterError("The referenced task was not found.")
	}
	e.stop(t, "UserInitiated", cmp.Or(in.Reason, "Task stopped by user"))
	t.service.steady = false
	return stopTaskOut{e.describeTask(t, true)}, nil
}
