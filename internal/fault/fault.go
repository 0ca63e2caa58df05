// Package fault classifies errors: each has a kind, from which the exit code
// follows, and may have a hint, one sentence that says how to go on. An error
// type of any package takes part by methods called Kind and Hint.
package fault

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

// HintOf returns the hint of an error: the first that is not empty, from the
// outermost error inwards. An error's hint is that of its method Hint, else the
// one that one of the tables knows. A table gives hints for types of errors
// whose package cannot know the command line; it is called with each error of
// the tree.
func HintOf(err error, tables ...func(error) string) string {
	hint := ""
	walk(err, func(err error) {
		if h, ok := err.(interface{ Hint() string }); ok && hint == "" {
			hint = h.Hint()
		}
		for _, table := range tables {
			if hint == "" {
				hint = table(err)
			}
		}
	})
	return hint
}

// New gives an error a kind and a hint. The text stays that of the error.
func New(kind Kind, err error, hint string) error {
	return &classified{kind, err, hint}
}

// As gives an error a kind, and no hint. It returns nil for no error.
func As(kind Kind, err error) error {
	if err == nil {
		return nil
	}
	return &classified{kind: kind, err: err}
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
