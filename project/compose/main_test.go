package compose_test

import (
	"errors"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/testkit"
	"slipway/project/compose"
)

// load reads the project in dir with the variables KEY=VALUE.
func load(t testing.TB, dir string, environ ...string) *types.Project {
	t.Helper()
	p, err := compose.Load(t.Context(), compose.Options{Dir: dir, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantInputError checks that err is an InputError with this text and a remedy.
func wantInputError(t *testing.T, err error, want string) {
	t.Helper()
	input := testkit.WantInputError(t, err, want)
	var outside *compose.OutsideError // cmd writes the hint of this cause, and of ErrNoProject
	if input.Hint() == "" && !errors.As(err, &outside) && !errors.Is(err, compose.ErrNoProject) {
		t.Errorf("no hint with %q", err)
	}
}
