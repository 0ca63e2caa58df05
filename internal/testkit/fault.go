package testkit

import (
	"errors"
	"testing"

	"slipway/internal/fault"
)

// WantInputError checks that err is a *fault.InputError with the text want, and
// returns it.
func WantInputError(t testing.TB, err error, want string) *fault.InputError {
	t.Helper()
	var input *fault.InputError
	if !errors.As(err, &input) {
		t.Fatalf("got error %v, want a *fault.InputError", err)
	}
	if err.Error() != want {
		t.Errorf("got error %s\nwant %s", err, want)
	}
	return input
}
