package cmd

import (
	"context"
	"errors"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
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
  5    the rollout failed
  6    ECS rolled the deployment back
  7    the rollout timed out
  130  interrupted`

// reportedError is an error that was printed already.
type reportedError struct{ err error }

func (e *reportedError) Error() string { return e.err.Error() }
func (e *reportedError) Unwrap() error { return e.err }

// exitCodes are the exit codes of the kinds of errors. exitCodesHelp says what
// they mean.
var exitCodes = map[fault.Kind]int{
	fault.Other:       exitOther,
	fault.Usage:       exitUsage,
	fault.Input:       exitUsage,
	fault.Build:       exitBuild,
	fault.AWS:         exitAWS,
	fault.Rollout:     exitRollout,
	fault.RolledBack:  exitRolledBack,
	fault.Timeout:     exitTimedOut,
	fault.Interrupted: exitInterrupted,
}

// exitCode returns the exit code of a command that ended with an error.
func exitCode(ctx context.Context, err error) int {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	return exitCodes[awsclient.KindOf(err)]
}
