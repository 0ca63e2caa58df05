// Package diagnose finds the likely cause of a failed ECS deployment. It is
// pure: a Diagnosis is computed from the Evidence that the caller has read.
package diagnose

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Evidence is the information that was read about a failed deployment.
type Evidence struct {
	// Cluster and Service name the ECS service; Cluster is empty for the
	// default one.
	Cluster, Service string
	// TaskDefinition is the ARN of the service's task definition, and
	// Containers are the containers in it.
	TaskDefinition string
	Containers     []Container
	// LoadBalanced are the names of the containers that receive requests from
	// a load balancer.
	LoadBalanced []string
	// Providers are the names of the capacity providers in the service's strategy.
	Providers []string
	// Pending are the deployment's tasks that do not run yet.
	Pending []types.Task
	// Stopped are the deployment's stopped tasks, in any order.
	Stopped []types.Task
	// Events are the service's events since the deployment began, the oldest
	// first.
	Events []string
	// Reason is the reason that ECS gives for the end.
	Reason string
	// Log and LogOf become those of the Diagnosis. Some causes are found only
	// in Log.
	Log   []string
	LogOf string
	// LogCommand is the command that shows more of Log, if there is a stream.
	LogCommand string
}

// Container is a container of a task definition.
type Container struct {
	Name, Image string
	// Essential reports whether the task stops when the container does.
	Essential bool
	// LogDriver and LogOptions are the container's log configuration.
	LogDriver  string
	LogOptions map[string]string
}

// Diagnosis is the likely cause of a failure, with the evidence for it.
type Diagnosis struct {
	// Cluster and Service are those of the Evidence.
	Cluster, Service string
	// Groups are tasks that stopped for the same reason, the largest and
	// newest first.
	Groups []StoppedTaskGroup
	// Cause is the likely cause in one sentence, or empty.
	Cause string
	// Next is the command of the AWS CLI to type next. It is empty where the
	// service's status says more, or with MissingImage the list of revisions.
	Next string
	// MissingImage reports that the registry lacks an image, so that another
	// revision must be deployed.
	MissingImage bool
	// Log are the last lines of the container that failed, the oldest first,
	// each up to 64 KiB.
	Log []string
	// LogOf names the container and task of Log, or says why Log is empty.
	LogOf string
}

// StoppedTaskGroup is a group of stopped tasks with the same reason and the
// same exit codes.
type StoppedTaskGroup struct {
	Count int
	// Reason is ECS's stoppedReason without its ids.
	Reason string
	// Containers are the containers' exit codes and reasons, such as "web
	// exited with 1".
	Containers []string
	// Last is when the newest of them stopped.
	Last time.Time
	// Task is the ARN of the newest of them.
	Task string
}

// Diagnose groups the stopped tasks and finds the likely cause and the next
// command. It makes no requests. The cause comes from the first group that has
// one, else from tasks that wait for an instance, else from the newest event that
// has one, else from ECS's reason. Cause is empty where none is known.
func Diagnose(e Evidence) Diagnosis {
	groups, newest := e.group()
	d := Diagnosis{Cluster: e.Cluster, Service: e.Service, Groups: groups, Log: e.Log, LogOf: e.LogOf}
	for _, s := range e.signs(newest) {
		if r := ruleFor(s); r != nil {
			d.Cause, d.MissingImage = r.cause(s), r.missingImage
			if r.next != nil {
				d.Next = r.next(s)
			}
			return d
		}
	}
	return d
}

// signs returns what a cause may be read from, the most reliable first.
func (e Evidence) signs(newest []types.Task) []sign {
	var signs []sign
	if alarms.MatchString(e.Reason) {
		// Alarms end a deployment whose tasks are well; the tasks' reasons
		// mislead then.
		signs = append(signs, sign{e: e, text: e.Reason})
	}
	for _, t := range newest {
		if !stoppedByScaling(t) {
			signs = append(signs, e.signOf(t))
		}
	}
	if text := e.waitingText(); text != "" {
		signs = append(signs, sign{e: e, text: text})
	}
	for _, event := range slices.Backward(e.Events) {
		signs = append(signs, sign{e: e, text: event})
	}
	return append(signs, sign{e: e, text: e.Reason})
}

// signOf returns the sign of a task, with the log if its container ran.
func (e Evidence) signOf(t types.Task) sign {
	s := sign{e: e, task: &t, text: StopReason(t)}
	if c := e.failedContainer(t); c != nil {
		s.container, s.exit = aws.ToString(c.Name), c.ExitCode
		s.image = aws.ToString(c.Image)
		if c.ImageDigest != nil && !strings.Contains(s.image, "@") {
			s.image += "@" + *c.ImageDigest
		}
		if c.ExitCode != nil {
			s.log = strings.Join(e.Log, "\n")
		}
	}
	for _, c := range t.Containers {
		s.text += "\n" + aws.ToString(c.Reason)
	}
	return s
}
