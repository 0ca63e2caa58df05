package oneoff

import (
	"context"
	"errors"
	"fmt"

	"slipway/internal/fault"
	"slipway/rollout/diagnose"
)

// FailedError is a one-off task that did not succeed.
type FailedError struct{ Outcome }

// Error names the task and the reason.
func (e *FailedError) Error() string {
	return fmt.Sprintf("one-off task %s %s: %s", e.Service, e.Status, e.Reason)
}

// Kind returns fault.Rollout.
func (e *FailedError) Kind() fault.Kind { return fault.Rollout }

// BusyError is a task of another rollout for whose end there was no time.
type BusyError struct {
	// Name is the service of the compose file, Cluster and Task are those of the other
	// task.
	Name, Cluster, Task string
	Err                 error
}

// Error names the other task.
func (e *BusyError) Error() string {
	return fmt.Sprintf("one-off task %s: task %s, of another rollout, has not ended", e.Name, e.Task)
}

// Unwrap returns why the wait ended.
func (e *BusyError) Unwrap() error { return e.Err }

// Kind returns fault.Rollout.
func (e *BusyError) Kind() fault.Kind { return fault.Rollout }

// startError is a task that ECS did not place.
type startError struct{ reason string }

func (e *startError) Error() string { return e.reason }

// broken returns the error of a task that was not followed to its end.
func (j *job) broken(ctx context.Context, err error) error {
	var unplaced *startError
	switch {
	case ctx.Err() != nil && j.out.Task == "":
		return &fault.InterruptedError{State: "interrupted: nothing was touched"}
	case ctx.Err() != nil:
		j.out.Status, j.out.Reason = Unfollowed, "the task goes on"
		return &fault.InterruptedError{State: fmt.Sprintf("interrupted: one-off task %s goes on as task %s, which the same command follows; nothing was deployed", j.name, j.id())}
	case errors.As(err, &unplaced):
		j.out.Status, j.out.Reason = Failed, "the task could not be started: "+unplaced.reason
		e := j.evidence()
		e.Reason = unplaced.reason
		found := diagnose.Diagnose(e)
		j.out.Diagnosis = &found
		return &FailedError{j.out}
	case j.out.Task != "":
		j.out.Status, j.out.Reason = Unfollowed, "the task goes on"
		return fmt.Errorf("%w: task %s goes on, and the same command follows it", err, j.id())
	}
	j.out.Status, j.out.Reason = Failed, err.Error()
	return err
}
