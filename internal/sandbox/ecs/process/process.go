// Package process is the interface between ECS and a program that runs the
// containers of its tasks.
package process

import (
	"encoding/json"
	"time"
)

// Runner runs tasks.
type Runner interface {
	// Start starts the containers of a task and returns at once. report is called
	// for each change, one call at a time and from another goroutine. After the
	// last call, whose state has Ended set, nothing of the task is left.
	Start(t Task, report func(State)) Process
}

// Process is a task that a Runner has started. Its methods return at once.
type Process interface {
	// Stop stops the containers: SIGTERM or the image's signal, then SIGKILL after
	// the container's stop timeout.
	Stop()
}

// Task is a task to run.
type Task struct {
	ID, Region       string
	Cluster, Service string
	// Definition has the fields of the task definition, as they were registered.
	Definition map[string]json.RawMessage
	// Digests are those of the images for the task's platform, by container. An
	// image from elsewhere than the sandbox's registries has none.
	Digests map[string]string
	// Second is the duration on the clock of a second of ECS's time.
	Second time.Duration
	// Output is called with the lines that a container has written.
	Output func(container string, lines []string)
}

// State is the state of a task's containers.
type State struct {
	// Err is the reason why the task failed to start, in ECS's words for a stopped
	// task.
	Err error
	// Running is set once every container has started.
	Running bool
	// Failed is set when an essential container has exited.
	Failed bool
	// Ended is set when no container runs anymore and none will.
	Ended bool
	// Containers are the states of the containers by name.
	Containers map[string]Container
}

// Container is the state of a container.
type Container struct {
	Status   string // PENDING, RUNNING, STOPPED
	Health   string // UNKNOWN, HEALTHY, UNHEALTHY
	ExitCode *int
	Reason   string
}
