// Package fault classifies errors: each has a kind, from which the exit code
// follows, and may have a hint, one sentence that says how to go on. An error
// type of any package takes part by methods called Kind and Hint.
package fault

import "errors"

// Kind is the class of a failure.
type Kind int

// The kinds of failures. Where an error wraps or joins several, the kind that
// is listed first here decides: a rollout that failed matters more than the
// request that AWS refused meanwhile.
const (
	// Other is an error without a kind.
	Other Kind = iota
	// Rollout is a deployment that failed and was not rolled back by ECS.
	Rollout
	// RolledBack is a deployment that ECS rolled back.
	RolledBack
	// Timeout is something that took too long and continues without Slipway.
	Timeout
	// Usage is a wrong command line, and Input a bad input file. Nothing was
	// touched.
	Usage
	Input
	// Build is an image that could not be built.
	Build
	// AWS is a request that AWS or the registry refused.
	AWS
	// Interrupted is a command that was interrupted in an orderly way.
	Interrupted
)

// KindOf returns the kind of an error: of all errors in its tree, the kind
// that is listed first.
func KindOf(err error) Kind {
	kind := Other
	walk(err, func(err error) {
		if k, ok := err.(interface{ Kind() Kind }); ok {
			if found := k.Kind(); found != Other && (kind == Other || found < kind) {
				kind = found
			}
		}
	})
	return kind
}

// walk visits an error and all that it wraps or joins.
func walk(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	switch x := err.(type) {
	case interface{ Unwrap() error }:
		walk(x.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, e := range x.Unwrap() {
			walk(e, visit)
		}
	}
}

// HintOf returns the hint of an error, or of the first error in its tree that
// has a method Hint; empty if there is none.
func HintOf(err error) string {
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		return hint.Hint()
	}
	return ""
}

// New gives an error a kind and a hint. The text stays that of the error.
func New(kind Kind, err error, hint string) error {
	return &classified{kind, err, hint}
}

type classified struct {
	kind Kind
	err  error
	hint string
}

func (e *classified) Error() string { return e.err.Error() }
func (e *classified) Unwrap() error { return e.err }
func (e *classified) Kind() Kind    { return e.kind }
func (e *classified) Hint() string  { return e.hint }
