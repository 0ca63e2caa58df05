package fault

import "slipway/internal/plain"

// InputError is bad input from a file, a flag or a variable.
type InputError struct {
	// Where names the file, the service or the field.
	Where string
	// Problem says what is wrong.
	Problem string
	// Remedy says how to correct it, in one sentence.
	Remedy string
	// Err is the cause, if there is one.
	Err error
}

// NewInput returns bad input at a place, with a problem and a remedy.
func NewInput(where, problem, remedy string) error {
	return &InputError{Where: where, Problem: problem, Remedy: remedy}
}

// Error joins place, problem and cause. Place and problem may quote the input:
// control characters in them are escaped.
func (e *InputError) Error() string {
	s := plain.Text(e.Problem)
	if e.Err != nil {
		if s != "" {
			s += ": "
		}
		s += e.Err.Error()
	}
	if e.Where == "" {
		return s
	}
	return plain.Text(e.Where) + ": " + s
}

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Err }

// Hint returns the remedy.
func (e *InputError) Hint() string { return e.Remedy }

// Kind returns Input.
func (e *InputError) Kind() Kind { return Input }
