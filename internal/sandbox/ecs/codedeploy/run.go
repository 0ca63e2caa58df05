package codedeploy

import (
	"fmt"
	"strings"
	"time"

	"slipway/internal/sandbox/ecs"
)

// Durations of CodeDeploy, in ECS's time.
const (
	queueTime = time.Second
	// installTimeout is how long the replacement task set may take to become
	// healthy. CodeDeploy does not count failed tasks: it waits an hour.
	installTimeout = time.Hour
)

// stage is the progress of a deployment. The names are those of the steps that
// CodeDeploy's console shows.
type stage int

const (
	stageCreated     stage = iota
	stageInstalling        // the replacement task set is coming up
	stageReady             // waiting for somebody to say ContinueDeployment
	stageShifting          // traffic goes over
	stageWaiting           // the original task set is kept for a while
	stageTerminating       // the original task set is going
	stageRollingBack       // a rollback's replacement task set is going
	stageDone
)

// run is the work of a deployment.
type run struct {
	stage       stage
	service     ecs.TaskSets
	blue, green ecs.TaskSet // the original and the replacement
}

// service returns the task sets of the service that a group deploys to.
func (d *region) service(g *group) (ecs.TaskSets, error) {
	return d.ecs.TaskSets(g.ECSServices[0].ClusterName, g.ECSServices[0].ServiceName)
}

// later calls next after a time if the deployment is still at the same stage.
func (d *region) later(n *deployment, wait time.Duration, next func()) {
	stage := n.run.stage
	d.ecs.After(wait, func() {
		if n.run.stage == stage {
			next()
		}
	})
}

func (d *region) start(n *deployment) {
	d.later(n, queueTime, func() {
		n.status = "InProgress"
		n.startedAt = d.ecs.Now()
		if n.trigger != nil {
			d.rollBack(n)
			return
		}
		d.install(n)
	})
}

// install creates the replacement task set. It first removes what an earlier
// deployment without a rollback left.
func (d *region) install(n *deployment) {
	s, err := d.service(n.group)
	if err != nil {
		d.fail(n, "INVALID_ECS_SERVICE", err.Error())
		return
	}
	n.run.service = s
	for _, t := range s.All() {
		if t.Primary() {
			n.run.blue = t
		} else {
			t.Remove()
		}
	}
	green, err := d.newTaskSet(n)
	if err != nil {
		d.fail(n, "ECS_UPDATE_ERROR", updateError(err))
		return
	}
	n.run.green = green
	n.run.stage = stageInstalling
	d.later(n, installTimeout, func() {
		d.fail(n, "TIMEOUT", "The deployment timed out while waiting for the replacement task set to become healthy. This time out period is 60 minutes.")
	})
}

// newTaskSet creates the replacement task set.
func (d *region) newTaskSet(n *deployment) (ecs.TaskSet, error) {
	spec := n.revision.spec
	return n.run.service.Create(ecs.TaskSetInput{
		TaskDefinition: spec.TaskDefinition, ExternalID: n.id, Settings: spec.settings(),
		ContainerName: spec.LoadBalancerInfo.ContainerName, ContainerPort: spec.LoadBalancerInfo.ContainerPort,
	})
}

// updateError returns the message of CodeDeploy for an error of ECS.
func updateError(err error) string {
	code, message, _ := strings.Cut(err.Error(), ": ")
	return fmt.Sprintf("The ECS service cannot be updated due to an unexpected error: %s (Service: AmazonECS; Status Code: 400; Error Code: %s). Check your ECS service status.", message, code)
}

// step continues the deployments that wait for ECS, and reports whether there
// were any.
func (d *region) step() (changed bool) {
	for _, n := range d.deployments {
		switch r := &n.run; {
		case r.stage == stageInstalling && r.green.Steady():
			d.ready(n)
		case r.stage == stageTerminating && !r.blue.Exists():
			d.end(n, "Succeeded", "", "", false)
		case r.stage == stageRollingBack && !r.green.Exists():
			d.end(n, "Succeeded", "", "", false)
		default:
			continue
		}
		changed = true
	}
	return changed
}

// ready shifts the traffic, after the wait time of the group if it has one.
// There is no ContinueDeployment here, so that a wait always ends by its
// timeout.
func (d *region) ready(n *deployment) {
	if option := n.group.BlueGreen.Ready; option.ActionOnTimeout == "STOP_DEPLOYMENT" {
		n.status, n.run.stage = "Ready", stageReady
		d.later(n, time.Duration(option.WaitMinutes)*time.Minute, func() {
			d.end(n, "Stopped", "TIMEOUT", "The deployment was not continued within the wait time.", n.rollbackOn.on("DEPLOYMENT_STOP_ON_REQUEST"))
		})
		return
	}
	n.run.stage = stageShifting
	shift, _ := shiftOf(n.config) // looked at when the deployment was made
	d.later(n, shift.time(), func() { d.shifted(n) })
}

// shifted makes the replacement task set the primary one.
func (d *region) shifted(n *deployment) {
	r := &n.run
	r.green.Promote()
	blue := n.group.BlueGreen.TerminateBlue
	if r.blue == (ecs.TaskSet{}) || blue.Action == "KEEP_ALIVE" {
		d.end(n, "Succeeded", "", "", false)
		return
	}
	r.stage, n.terminationWait = stageWaiting, true
	d.later(n, time.Duration(blue.WaitMinutes)*time.Minute, func() {
		r.blue.Remove()
		r.stage = stageTerminating
	})
}

// rollBack returns the traffic to the original task set, which still exists,
// and removes the replacement.
func (d *region) rollBack(n *deployment) {
	r := n.trigger.run
	n.run = run{stageRollingBack, r.service, r.blue, r.green}
	if r.green == (ecs.TaskSet{}) {
		return
	}
	if r.green.Primary() && r.blue != (ecs.TaskSet{}) {
		r.blue.Promote()
	}
	r.green.Remove()
}

func (d *region) fail(n *deployment, code, message string) {
	d.end(n, "Failed", code, message, n.rollbackOn.on("DEPLOYMENT_FAILURE"))
}

// end ends a deployment. With back set, another deployment rolls it back unless
// the original task set is already being removed.
func (d *region) end(n *deployment, status, code, message string, back bool) {
	canGoBack := n.trigger == nil && n.run.stage < stageTerminating
	n.status, n.failure, n.message = status, code, message
	n.completedAt = d.ecs.Now()
	n.run.stage = stageDone
	if status == "Succeeded" {
		n.group.successful = n
	}
	if !back || !canGoBack {
		return
	}
	n.rollback = &deployment{
		group: n.group, config: n.config, creator: "codeDeployRollback", trigger: n,
		description: "Rollback of deployment " + n.id,
	}
	if n.group.successful != nil {
		n.rollback.revision = n.group.successful.revision
	}
	d.begin(n.rollback)
}
