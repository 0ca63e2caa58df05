package rollout

import (
	"fmt"

	"slipway/internal/fault"
	"slipway/rollout/ecs"
)

// Problem is the class of an Error.
type Problem int

// The problems of a rollout, and of the status of ECS services, that a user
// corrects with another command.
const (
	_ Problem = iota
	// NoPause is a request to answer a lifecycle hook at which nothing waits.
	NoPause
	// TagsLeft are tags that a continued deployment leaves where they are.
	TagsLeft
	// NoFile is a definitions file that does not exist, and BadFile one that cannot
	// be used.
	NoFile
	BadFile
	// TwoFiles are definitions files for one service, and UnknownFile is one for a
	// service that is not known.
	TwoFiles
	UnknownFile
	// NoImage is an image that is not in its repository.
	NoImage
	// UntrustedImage is an image of an untrusted build.
	UntrustedImage
	// NoContainer is a rollout that reaches no container.
	NoContainer
	// NoHistory is a service whose previous images are not known.
	NoHistory
	// Superseded is a rollout that another job has overtaken.
	Superseded
	// SupersededBuild is the same for a build that deploys.
	SupersededBuild
	// NotConfirmed is a rollout that the user declined.
	NotConfirmed
	// Changed is a rollout of services that changed since they were shown.
	Changed
	// NotResumed is a deployment that was replaced by one that failed.
	NotResumed
	// Uneven is a service that runs the new images after latest was reverted.
	Uneven
	// Unfollowed is a deployment that continues without Slipway.
	Unfollowed
	// NoTasks is a service whose desired count is 0.
	NoTasks
	// Unlike is a successful deployment that runs other images.
	Unlike
	// Gone is a running image that is no longer in its repository.
	Gone
	// NotLatest is a running image to which latest does not point.
	NotLatest
	// Expiring is a running image that expires.
	Expiring
	// Mixed is a container that runs several images.
	Mixed
	// Stalled is a service that ECS has not rolled back after a failure.
	Stalled
	// Endless is a deployment that the circuit breaker may never end.
	Endless
	// NotAdmitted is an image that cannot be checked before it is deployed.
	NotAdmitted
	// Blocked is a service whose deployment configuration leaves no step.
	Blocked
	// TagsRefused is a rollout that may not move tags.
	TagsRefused
	// NotAdopted is a task definition that something else wrote.
	NotAdopted
	// OtherSettings is a service that does not run the settings of the compose file.
	OtherSettings
	// OtherBuild is a file of task definitions of another build.
	OtherBuild
	// RunningSettings are settings that stay because those of the images are not known.
	RunningSettings
	// UnknownSettings are settings with values that are not known.
	UnknownSettings
	// Unreadable are settings with values that the caller may not read.
	Unreadable
	// NoService is a service that does not exist and could be created.
	NoService
	// Draining is a service that cannot be created yet: one of its name is being deleted.
	Draining
	// NoDefinition and NoStack are services that cannot be created, and
	// OneTargetGroup is one for which there is no target group.
	NoDefinition
	NoStack
	OneTargetGroup
	// FirstFailed is a service whose first deployment failed.
	FirstFailed
	// Older is a rollout to a revision that is older than the last build.
	Older
)

// Error is a failure of a rollout, or a warning about one that goes on. The command
// line knows a hint for its problem.
type Error struct {
	Problem Problem
	// Services are the ECS services that a command must name; none where the compose
	// file does.
	Services []ecs.Ref
	// Revision is the name of the running revision, if the problem is about one.
	Revision string
	Err      error
	kind     fault.Kind
}

// Error returns the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Kind returns the kind of the failure.
func (e *Error) Kind() fault.Kind { return e.kind }

// refuse returns an error of a wrong use.
func refuse(p Problem, format string, args ...any) error {
	return &Error{Problem: p, Err: fmt.Errorf(format, args...), kind: fault.Usage}
}

// badInput returns an error of bad input.
func badInput(p Problem, where, format string, args ...any) error {
	return &fault.InputError{Where: where, Err: &Error{Problem: p, Err: fmt.Errorf(format, args...)}}
}

// warn logs a problem of some services that does not end the rollout.
func (d *job) warn(p Problem, services []ecs.Ref, format string, args ...any) {
	err := &Error{Problem: p, Services: services, Err: fmt.Errorf(format, args...)}
	d.WarnError(err, err.Error())
}
