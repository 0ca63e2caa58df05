package fault

import "context"

// InterruptedError says what an interrupt left behind.
type InterruptedError struct{ State string }

// Error returns the state.
func (e *InterruptedError) Error() string { return e.State }

// Unwrap returns context.Canceled.
func (e *InterruptedError) Unwrap() error { return context.Canceled }

// Kind returns Interrupted.
func (e *InterruptedError) Kind() Kind { return Interrupted }
