package solve_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/solve"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
	"slipway/project/compose"
)

func TestMain(m *testing.M) { os.Exit(enginetest.StopAfter(m).Run()) }

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
func targets(t testing.TB, dir string, environ ...string) []solve.Target {
	t.Helper()
	out, warnings, err := solve.Targets(load(t, dir, environ...), solve.Selection{})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, warnings %q", err, warnings)
	}
	return out
}

// byService finds one target.
func byService(t testing.TB, list []solve.Target, name string) solve.Target {
	t.Helper()
	for _, x := range list {
		if x.Service == name {
			return x
		}
	}
	t.Fatalf("no target %s", name)
	return solve.Target{}
}

// wantInputError checks that err is an InputError with this text and a remedy.
func wantInputError(t *testing.T, err error, want string) {
	t.Helper()
	input := testkit.WantInputError(t, err, want)
	var platform *solve.PlatformError // whose hint cmd writes
	if input.Hint() == "" && !errors.As(err, &platform) {
		t.Errorf("no hint with %q", err)
	}
}
