package follow

import (
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
)

// Status is how a followed deployment ended.
type Status string

// The statuses.
const (
	// Succeeded: SUCCESSFUL, or with CodeDeploy all traffic moved, or only old
	// tasks left to stop, and every task of the deployment runs a desired
	// digest.
	Succeeded Status = "succeeded"
	// Failed: it ended otherwise and was not rolled back.
	Failed Status = "failed"
	// RolledBack: ECS or CodeDeploy rolled it back.
	RolledBack Status = "rolled back"
	// TimedOut: its new tasks made no progress for the time limit, or the
	// deadline passed.
	TimedOut Status = "timed out"
	// Interrupted: the caller cancelled the context.
	Interrupted Status = "interrupted"
	// Superseded: another deployment replaced it.
	Superseded Status = "superseded"
	// Differs: SUCCESSFUL, but tasks of the deployment run other digests than
	// desired, or none runs.
	Differs Status = "differs"
	// Unverified: AWS refused requests, or did not answer them, so it is not
	// known how the deployment ends, or whether its tasks run the desired
	// digests. Outcome.Err is the reason.
	Unverified Status = "unverified"
)

// Outcome is how a followed deployment ended, and why.
type Outcome struct {
	Deployment ecs.Deployment
	Status     Status
	// Reason is ECS's reason, with what was observed.
	Reason string
	// Running counts tasks by container and digest at the end.
	Running map[string]map[string]int
	// Own counts those of the deployment itself; where it has none, it names
	// the digests that ECS resolved for it, with a count of 0. It is set where
	// its tasks were verified.
	Own map[string]map[string]int
	// Stalled reports that ECS starts no tasks for the service until it is
	// deployed again (ecs.Service.Stalled).
	Stalled bool
	// Diagnosis is set for what did not succeed.
	Diagnosis *diagnose.Diagnosis
	// Err is the error of AWS that ended the following or the verification
	// before the deployment ended; nil otherwise.
	Err error
}

// Progress is an event of a deployment under way.
type Progress struct {
	Service ecs.Ref
	// Kind is the kind of the event.
	Kind ProgressKind
	// Text is one line without the service's name.
	Text string
	// Running, Pending and Desired are the deployment's own task counts.
	Running, Pending, Desired int
}

// ProgressKind is the kind of a Progress.
type ProgressKind string

// The kinds of progress.
const (
	// Counts: the numbers of tasks changed.
	Counts ProgressKind = "counts"
	// Event: ECS wrote a service event.
	Event ProgressKind = "event"
	// Stopped: a task of the deployment stopped. Text says why.
	Stopped ProgressKind = "stopped"
	// Stage: the deployment's status or lifecycle stage changed.
	Stage ProgressKind = "stage"
	// Paused: a lifecycle hook waits until the deployment is continued.
	Paused ProgressKind = "paused"
	// Ended: the deployment ended; Text is the outcome.
	Ended ProgressKind = "ended"
)
