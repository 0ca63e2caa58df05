package target_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/target"
	"slipway/internal/testkit"
	"slipway/project/compose"
)

// indented is v as JSON with dir written as /project, so that golden files know no machine.
func indented(t *testing.T, dir string, v any) []byte {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte(strings.ReplaceAll(string(text), dir, "/project")), '\n')
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

// targets plans the project in dir and fails on errors and on warnings.
func targets(t testing.TB, dir string, environ ...string) []target.Target {
	t.Helper()
	out, warnings, err := target.Select(load(t, dir, environ...), target.Selection{})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, warnings %q", err, warnings)
	}
	return out
}

// byService finds one target.
func byService(t testing.TB, list []target.Target, name string) target.Target {
	t.Helper()
	for _, x := range list {
		if x.Service == name {
			return x
		}
	}
	t.Fatalf("no target %s", name)
	return target.Target{}
}

// wantInputError checks that err is an InputError with this text and a remedy.
func wantInputError(t *testing.T, err error, want string) {
	t.Helper()
	if testkit.WantInputError(t, err, want).Hint() == "" {
		t.Errorf("no hint with %q", err)
	}
}
