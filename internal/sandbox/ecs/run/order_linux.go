package run

import (
	"cmp"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox/ecs/run/runc"
)

var (
	errStopping = errors.New("the task is being stopped")
	// errDependency is the reason of a task with a container that can never start.
	errDependency = errors.New("Task failed to start")
)

// defaultStartTimeout is that of Fargate (reference of ContainerDefinition,
// startTimeout).
const defaultStartTimeout = 3 * time.Minute

// awaitDependencies waits until the conditions of a container's dependencies hold
// (reference of ContainerDependency).
func (c *container) awaitDependencies() error {
	for _, d := range c.definition.DependsOn {
		other := c.task.containers[aws.ToString(d.ContainerName)]
		if other == nil {
			return errDependency
		}
		holds := other.started
		switch d.Condition {
		case types.ContainerConditionHealthy:
			holds = other.healthy
		case types.ContainerConditionComplete, types.ContainerConditionSuccess:
			holds = other.ended
		}
		if err := c.awaitDependency(other, holds); err != nil {
			return err
		}
		if d.Condition == types.ContainerConditionSuccess && (other.exit == nil || other.exit.code != 0) {
			return errDependency
		}
	}
	if isClosed(c.task.stopping) || isClosed(c.task.runner.closed) {
		return errStopping
	}
	return nil
}

// awaitDependency waits for a condition, which never holds once the other
// container has ended without it.
func (c *container) awaitDependency(other *container, holds <-chan struct{}) error {
	limit := defaultStartTimeout
	if s := other.definition.StartTimeout; s != nil {
		limit = time.Duration(*s) * time.Second
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-holds:
	case <-c.task.stopping:
		return errStopping
	case <-c.task.runner.closed:
		return errStopping
	case <-other.ended:
		if !isClosed(holds) {
			return errDependency
		}
	case <-timer.C:
		return errDependency
	}
	return nil
}

// defaultStopTimeout is that of the container agent (reference of
// ContainerDefinition, stopTimeout).
const defaultStopTimeout = 30 * time.Second

// stop stops a process when its task is to stop: with the image's signal, and with
// SIGKILL after the stop timeout. Containers that depend on it stop before.
func (c *container) stop(p *runc.Container, exited <-chan struct{}) {
	select {
	case <-exited:
		return
	case <-c.task.runner.closed:
		c.kill(p, "KILL")
		return
	case <-c.task.stopping:
	}
	c.task.runner.front.Remove(c.task.ID)
	for _, other := range c.task.containers {
		if other.dependsOn(c) {
			select {
			case <-other.ended:
			case <-exited:
				return
			case <-c.task.runner.closed:
			}
		}
	}
	c.kill(p, cmp.Or(c.image.StopSignal, "TERM"))
	limit := defaultStopTimeout
	if s := c.definition.StopTimeout; s != nil {
		limit = time.Duration(*s) * time.Second
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-exited:
		return
	case <-timer.C:
	case <-c.task.runner.closed:
	}
	c.kill(p, "KILL")
}

// kill sends a signal. It fails if the process has just ended.
func (c *container) kill(p *runc.Container, signal string) { _ = p.Kill(signal) }

func (c *container) dependsOn(other *container) bool {
	for _, d := range c.definition.DependsOn {
		if aws.ToString(d.ContainerName) == other.name {
			return true
		}
	}
	return false
}
