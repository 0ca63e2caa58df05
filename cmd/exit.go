package cmd

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/smithy-go"

	"slipway/artifact"
	"slipway/build"
	"slipway/engine"
	"slipway/internal/awsclient"
	"slipway/internal/bounded"
	"slipway/registry"
	"slipway/revision"
)

// Exit codes. The help of the root command and docs/exit-codes.md list the same.
const (
	exitDone        = 0
	exitOther       = 1
	exitUsage       = 2
	exitBuild       = 3
	exitAWS         = 4
	exitRollout     = 5
	exitRolledBack  = 6
	exitTimedOut    = 7
	exitInterrupted = 130
)

const exitCodesHelp = `Exit codes:
  0    done
  1    another error
  2    wrong usage or a bad input file; nothing was touched
  3    a build failed
  4    the registry or AWS refused
  5    the roll-out failed
  6    ECS rolled the deployment back
  7    the roll-out timed out
  130  interrupted`

// usageError is a wrong command line.
type usageError struct {
	err    error
	remedy string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) Hint() string  { return e.remedy }

// toldError is one that the user has been told of already.
type toldError struct{ err error }

func (e *toldError) Error() string { return e.err.Error() }
func (e *toldError) Unwrap() error { return e.err }

// buildsFailed says how many services could not be built.
type buildsFailed struct {
	failed  []string
	stopped []string
	// remedy is what to do about one of them, if that is known.
	remedy string
}

// Hint is what to do about it.
func (e *buildsFailed) Hint() string { return e.remedy }

// awsError marks an error of a stage that talks to AWS.
type awsError struct {
	err    error
	remedy string
}

func (e *awsError) Error() string { return e.err.Error() }
func (e *awsError) Unwrap() error { return e.err }
func (e *awsError) Hint() string  { return e.remedy }

// timeoutError is something that took too long and goes on without us.
type timeoutError struct {
	err    error
	remedy string
}

func (e *timeoutError) Error() string { return e.err.Error() }
func (e *timeoutError) Unwrap() error { return e.err }
func (e *timeoutError) Hint() string  { return e.remedy }

// interruptedError says what an interrupt left behind.
type interruptedError struct{ state string }

func (e *interruptedError) Error() string { return e.state }
func (e *interruptedError) Unwrap() error { return context.Canceled }

// hintOf is the remedy that an error brings along, empty if it brings none.
func hintOf(err error) string {
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		return hint.Hint()
	}
	return ""
}

// exitCode is the one place that turns errors into exit codes.
func exitCode(ctx context.Context, err error) int {
	var (
		usage    *usageError
		input    *build.InputError
		name     *revision.NameError
		size     *artifact.TooLargeError
		address  *engine.AddressError
		cannot   *engine.CannotError
		failed   *buildsFailed
		aws      *awsError
		api      smithy.APIError
		op       *smithy.OperationError
		publish  *registry.PublishError
		missing  *registry.MissingError
		stuck    *registry.ImmovableError
		clashing *registry.ConflictError
		restore  *registry.RestoreError
		rollouts *rolloutsFailed
		late     *timeoutError
		piped    *pipelineFailed
		sick     *unwell
		partial  *awsclient.IncompleteError
		bound    *bounded.Error
	)
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &rollouts):
		return rollouts.code()
	case errors.As(err, &piped):
		return piped.code()
	case errors.As(err, &sick):
		return sick.code
	case errors.As(err, &late):
		return exitTimedOut
	case errors.As(err, &usage), errors.As(err, &input), errors.As(err, &name), errors.As(err, &size),
		errors.As(err, &address), errors.As(err, &cannot), errors.As(err, &bound):
		return exitUsage
	case errors.As(err, &failed):
		return exitBuild
	case errors.As(err, &aws), errors.As(err, &publish), errors.As(err, &restore), errors.As(err, &missing), errors.As(err, &stuck), errors.As(err, &clashing),
		errors.As(err, &partial), errors.As(err, &api), errors.As(err, &op):
		return exitAWS
	default:
		return exitOther
	}
}

// Error counts the failed services; what failed in each has been told.
func (e *buildsFailed) Error() string {
	s := plural(len(e.failed), "service") + " failed to build: " + strings.Join(e.failed, ", ")
	if len(e.stopped) > 0 {
		s += "; not built: " + strings.Join(e.stopped, ", ")
	}
	return s + "; no tag was moved"
}
