package compose_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/fault"
	"slipway/project/compose"
)

// files writes a tree below a new directory and returns it.
func files(t testing.TB, tree map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range tree {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

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
	var input *fault.InputError
	if !asInput(err, &input) {
		t.Fatalf("want an *fault.InputError, have %v", err)
	}
	if err.Error() != want {
		t.Errorf("error\n have %s\n want %s", err, want)
	}
	// cmd writes the hints of these.
	var outside *compose.OutsideError
	var files *compose.FilesError
	inCmd := errors.As(err, &outside) || errors.As(err, &files) || errors.Is(err, compose.ErrNoProject) || errors.Is(err, compose.ErrNoName)
	if input.Hint() == "" && !inCmd {
		t.Errorf("no hint with %q", err)
	}
}

func asInput(err error, input **fault.InputError) bool { return errors.As(err, input) }
