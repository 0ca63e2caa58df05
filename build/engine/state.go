package engine

// StateError is a state directory of a managed engine that cannot be used.
type StateError struct {
	Err error
	// TooLong reports whether its path is too long for the path of a socket.
	TooLong bool
}

// Error names the directory and the problem.
func (e *StateError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StateError) Unwrap() error { return e.Err }
