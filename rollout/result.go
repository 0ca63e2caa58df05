package rollout

import (
	"maps"
	"slices"
	"strings"
	"time"

	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
	"slipway/rollout/oneoff"
)

// Result is the outcome of a rollout for one ECS service.
type Result struct {
	Service  ecs.Ref
	Revision string
	// Status is unchanged (left alone), to deploy or to create (a dry run), not deployed (a
	// one-off task did not succeed), started (not followed), or how the deployment ended:
	// succeeded, failed, rolled back, timed out, interrupted, superseded,
	// differs, unverified.
	Status, Reason string
	// Diagnosis is the cause of a failure, as far as it is known.
	Diagnosis *diagnose.Diagnosis
	// Deployment is the deployment's id, TaskDefinition the ARN of the task definition.
	Deployment, TaskDefinition string
	// Before are the one-off tasks that ran, or were to run, before the deployment.
	Before []oneoff.Outcome
	// SettingsOf is the ARN of the earlier task definition whose settings the service
	// has returned to; empty for none.
	SettingsOf string
	Containers []ContainerImage
	Duration   time.Duration
}

// ContainerImage is a container and the image that it was to run.
type ContainerImage struct {
	Container, Image string
	// Digest is empty where it is not known.
	Digest string
}

func (d *job) row(s ecs.Service, wants map[string]ecs.DesiredImage) Result {
	row := Result{Service: s.Ref, Revision: d.target.Name, TaskDefinition: s.Definition.ARN, Duration: time.Since(d.started), Before: d.services.oneOff[s.Ref]}
	if earlier, ok := s.Earlier(); ok {
		row.SettingsOf = earlier.ARN
	}
	for _, name := range slices.Sorted(maps.Keys(wants)) {
		c := ContainerImage{Container: name, Image: wants[name].Image}
		if len(wants[name].Digests) > 0 {
			c.Digest = wants[name].Digests[0]
		}
		row.Containers = append(row.Containers, c)
	}
	return row
}

// addLeft notes a service that was left alone.
func (d *job) addLeft(c ecs.Change) {
	row := d.row(c.Service, d.target.Desired[c.Service.Ref])
	row.Status = "unchanged"
	d.results = append(d.results, row)
}

// addPlanned notes the changes of a dry run. The task definition is empty if it is to be
// registered.
func (d *job) addPlanned(changes []ecs.Change) {
	for _, c := range changes {
		if c.Action == ecs.Leave {
			d.addLeft(c)
			continue
		}
		row := d.row(c.Service, c.Wants)
		row.Status = "to deploy"
		switch earlier, _ := c.Service.Earlier(); c.Action {
		case ecs.Create:
			row.Status, row.TaskDefinition = "to create", ""
		case ecs.Register:
			row.TaskDefinition = ""
		case ecs.Return:
			row.TaskDefinition = earlier.ARN
		}
		d.results = append(d.results, row)
	}
}

// add notes how a deployment ended.
func (d *job) add(dep ecs.Deployment, status, reason string) {
	row := d.row(dep.Service, dep.Wants)
	row.Status, row.Reason, row.Deployment, row.TaskDefinition = status, reason, dep.ID, dep.TaskDefinition
	d.results = append(d.results, row)
}

// sorted returns the results in the order of the services' names.
func (d *job) sorted() []Result {
	rows := append([]Result{}, d.results...)
	slices.SortStableFunc(rows, func(a, b Result) int {
		return strings.Compare(a.Service.Cluster+"/"+a.Service.Service, b.Service.Cluster+"/"+b.Service.Service)
	})
	return rows
}

// addOutcome is add for a deployment that was followed.
func (d *job) addOutcome(o follow.Outcome) {
	d.add(o.Deployment, string(o.Status), o.Reason)
	if o.Status != follow.Succeeded && o.Diagnosis != nil {
		d.results[len(d.results)-1].Diagnosis = o.Diagnosis
	}
	if o.Status == follow.Succeeded && o.Reason != "" {
		// The line about the end may have been cut.
		d.Infof("%s: %s", o.Deployment.Service.Ref, o.Reason)
	}
	if o.Status == follow.Succeeded && o.Deployment.Service.Desired == 0 {
		d.warn(NoTasks, nil, "%s: the desired count is 0, so the images were not verified", o.Deployment.Service.Ref)
	}
}
