package retention

import "slipway/internal/fault"

// Problem is the class of an Error.
type Problem int

// The reasons for which policies are not written.
const (
	_ Problem = iota
	// NotAgreed is a loss of images that the command does not accept yet.
	NotAgreed
	// NoTerminal is a loss of images that no one can be asked about.
	NoTerminal
	// Declined is a loss of images that the user does not accept.
	Declined
	// Unprotected is a running image to which no protecting tag points.
	Unprotected
)

// Error says that nothing was written. The command line knows a hint for its
// problem.
type Error struct {
	Problem Problem
	Err     error
}

// Error returns the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Kind returns fault.Usage.
func (e *Error) Kind() fault.Kind { return fault.Usage }
