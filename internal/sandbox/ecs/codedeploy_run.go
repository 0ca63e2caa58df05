package ecs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// How long CodeDeploy takes, in ECS's time.
const (
	cdQueued = time.Second
	// cdInstallTimeout is how long the replacement task set may take to become
	// healthy. CodeDeploy does not count failed tasks: it waits an hour.
	cdInstallTimeout = time.Hour
)

// cdStage is how far a deployment has come. The names are those of the steps
// that CodeDeploy's console shows.
type cdStage int

const (
	cdCreated     cdStage = iota
	cdInstalling          // the replacement task set is coming up
	cdReady               // waiting for somebody to say ContinueDeployment
	cdShifting            // traffic goes over
	cdWaiting             // the original task set is kept for a while
	cdTerminating         // the original task set is going
	cdRollingBack         // a rollback's replacement task set is going
	cdAllDone
)

// cdRun is the work of a deployment.
type cdRun struct {
	stage       cdStage
	service     *service
	blue, green *deployment
}

func (r *cdRun) gone(set *deployment) bool { return !slices.Contains(r.service.sets, set) }

// service is the one that a group deploys to.
func (d *codeDeploy) service(g *cdGroup) (*service, error) {
	return d.ecs.service(g.ECSServices[0].ClusterName, g.ECSServices[0].ServiceName)
}

// later goes on with a deployment if by then it is still at the same stage.
func (d *codeDeploy) later(n *cdDeployment, wait time.Duration, next func()) {
	stage := n.run.stage
	d.ecs.after(wait, func() {
		if n.run.stage == stage {
			next()
		}
	})
}

func (d *codeDeploy) start(n *cdDeployment) {
	d.later(n, cdQueued, func() {
		n.status = "InProgress"
		n.startedAt = d.ecs.now()
		if n.trigger != nil {
			d.rollBack(n)
			return
		}
		d.install(n)
	})
}

// install makes the replacement task set. What an earlier deployment without
// a rollback left behind goes first.
func (d *codeDeploy) install(n *cdDeployment) {
	s, err := d.service(n.group)
	if err != nil {
		d.fail(n, "INVALID_ECS_SERVICE", err.Error())
		return
	}
	n.run.service = s
	for _, t := range slices.Clone(s.sets) {
		if t.status == "PRIMARY" {
			n.run.blue = t
		} else {
			d.ecs.removeTaskSet(t)
		}
	}
	green, err := d.newTaskSet(n)
	if err != nil {
		d.fail(n, "ECS_UPDATE_ERROR", updateError(err))
		return
	}
	n.run.green = green
	n.run.stage = cdInstalling
	d.later(n, cdInstallTimeout, func() {
		d.fail(n, "TIMEOUT", "The deployment timed out while waiting for the replacement task set to become healthy. This time out period is 60 minutes.")
	})
}

// newTaskSet checks what CreateTaskSet would check and makes the task set.
func (d *codeDeploy) newTaskSet(n *cdDeployment) (*deployment, error) {
	spec, s := n.revision.spec, n.run.service
	definition, err := d.ecs.deployable(spec.TaskDefinition)
	if err != nil {
		return nil, err
	}
	with := *s
	with.parsed.LoadBalancers = slices.Clone(s.parsed.LoadBalancers)
	for i := range with.parsed.LoadBalancers {
		lb := &with.parsed.LoadBalancers[i]
		lb.ContainerName, lb.ContainerPort = spec.LoadBalancerInfo.ContainerName, spec.LoadBalancerInfo.ContainerPort
	}
	if err := with.fits(definition); err != nil {
		return nil, err
	}
	set := d.ecs.newTaskSet(s, definition, n.id)
	set.set.settings = spec.settings(with)
	return set, nil
}

// updateError puts an error of ECS the way CodeDeploy passes it on.
func updateError(err error) string {
	code, message, _ := strings.Cut(err.Error(), ": ")
	return fmt.Sprintf("The ECS service cannot be updated due to an unexpected error: %s (Service: AmazonECS; Status Code: 400; Error Code: %s). Check your ECS service status.", message, code)
}

// step goes on with the deployments that wait for ECS. It tells whether it did.
func (d *codeDeploy) step() (changed bool) {
	for _, n := range d.deployments {
		switch r := &n.run; {
		case r.stage == cdInstalling && taskSetSteady(r.green):
			d.ready(n)
		case r.stage == cdTerminating && r.gone(r.blue):
			d.end(n, "Succeeded", "", "", false)
		case r.stage == cdRollingBack && (r.green == nil || r.gone(r.green)):
			d.end(n, "Succeeded", "", "", false)
		default:
			continue
		}
		changed = true
	}
	return changed
}

// ready shifts the traffic, or gives people the time to look that the group
// says. There is no ContinueDeployment here, so that this time always runs out.
func (d *codeDeploy) ready(n *cdDeployment) {
	if option := n.group.BlueGreen.Ready; option.ActionOnTimeout == "STOP_DEPLOYMENT" {
		n.status, n.run.stage = "Ready", cdReady
		d.later(n, time.Duration(option.WaitMinutes)*time.Minute, func() {
			d.end(n, "Stopped", "TIMEOUT", "The deployment was not continued within the wait time.", n.rollbackOn.on("DEPLOYMENT_STOP_ON_REQUEST"))
		})
		return
	}
	n.run.stage = cdShifting
	shift, _ := shiftOf(n.config) // looked at when the deployment was made
	d.later(n, shift.time(), func() { d.shifted(n) })
}

// shifted makes the replacement task set the primary one.
func (d *codeDeploy) shifted(n *cdDeployment) {
	r := &n.run
	d.ecs.promoteTaskSet(r.green)
	blue := n.group.BlueGreen.TerminateBlue
	if r.blue == nil || blue.Action == "KEEP_ALIVE" {
		d.end(n, "Succeeded", "", "", false)
		return
	}
	r.stage, n.waitingToEndBlue = cdWaiting, true
	d.later(n, time.Duration(blue.WaitMinutes)*time.Minute, func() {
		d.ecs.removeTaskSet(r.blue)
		r.stage = cdTerminating
	})
}

// rollBack gives the traffic back to the original task set, which is still there,
// and takes the replacement away.
func (d *codeDeploy) rollBack(n *cdDeployment) {
	r := n.trigger.run
	n.run = cdRun{cdRollingBack, r.service, r.blue, r.green}
	if r.green == nil {
		return
	}
	if r.green.status == "PRIMARY" && r.blue != nil {
		d.ecs.promoteTaskSet(r.blue)
	}
	d.ecs.removeTaskSet(r.green)
}

func (d *codeDeploy) fail(n *cdDeployment, code, message string) {
	d.end(n, "Failed", code, message, n.rollbackOn.on("DEPLOYMENT_FAILURE"))
}

// end ends a deployment. With back set another one goes back to what ran
// before, unless the original task set is going already.
func (d *codeDeploy) end(n *cdDeployment, status, code, message string, back bool) {
	canGoBack := n.trigger == nil && n.run.stage < cdTerminating
	n.status, n.failure, n.message = status, code, message
	n.completedAt = d.ecs.now()
	n.run.stage = cdAllDone
	if status == "Succeeded" {
		n.group.successful = n
	}
	if !back || !canGoBack {
		return
	}
	n.rollback = &cdDeployment{
		group: n.group, config: n.config, creator: "codeDeployRollback", trigger: n,
		description: "Rollback of deployment " + n.id,
	}
	if n.group.successful != nil {
		n.rollback.revision = n.group.successful.revision
	}
	d.begin(n.rollback)
}
