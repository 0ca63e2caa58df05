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
	// cmd writes the hints of these.
	var outside *compose.OutsideError
	var files *compose.FilesError
	inCmd := errors.As(err, &outside) || errors.As(err, &files) || errors.Is(err, compose.ErrNoProject) || errors.Is(err, compose.ErrNoName)
	if input.Hint() == "" && !inCmd {
		t.Errorf("no hint with %q", err)
	}
}
