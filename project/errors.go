package project

import "slipway/internal/fault"

// Problem is the class of an Error.
type Problem int

// The problems of a project that a user corrects on the command line.
const (
	_ Problem = iota
	// NoService is a project without an ECS service.
	NoService
	// NoFile is a directory without a compose file, where ECS services are needed.
	NoFile
	// ForeignName is an untrusted project that is named by its compose file alone.
	ForeignName
)

// Error is a wrong use of a project. The command line knows a hint for its problem.
type Error struct {
	Problem Problem
	// Project is the name of the project, if one is known.
	Project string
	Err     error
}

// Error returns the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Kind returns fault.Usage.
func (e *Error) Kind() fault.Kind { return fault.Usage }
