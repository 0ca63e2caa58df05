package testtools

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const (
	v2    = "aws-cli/2.9.19 Python/3.11.2"
	v1    = "aws-cli/1.46.3 Python/3.11.7"
	old   = "aws: error: argument operation: Invalid choice, valid choices are:"
	knows = "aws: error: the following arguments are required: --service-deployment-arn, --hook-id"
)

func TestAWSCLI(t *testing.T) {
	first, second := fakeCLI(t, v1, knows), fakeCLI(t, v2, old)
	if got, err := awsCLI([]string{first, "/nowhere/aws", second}); got != second || err != nil {
		t.Errorf("awsCLI returned %q, %v; want version 2, %q", got, err, second)
	}
	if got, err := awsCLI([]string{first}); err == nil {
		t.Errorf("without version 2, awsCLI returned %q and no error", got)
	}
}

func TestCurrentAWSCLI(t *testing.T) {
	first, second := fakeCLI(t, v2, old), fakeCLI(t, v1, knows)
	if got, err := currentAWSCLI([]string{"/nowhere/aws", first, second}); got != second || err != nil {
		t.Errorf("currentAWSCLI returned %q, %v; want the one that knows the operation, %q", got, err, second)
	}
	if got, err := currentAWSCLI([]string{first, fakeCLI(t, v1, "Traceback")}); err == nil {
		t.Errorf("of CLIs that do not know the operation, currentAWSCLI returned %q and no error", got)
	}
}

// fakeCLI writes a command that prints its version, and fails with a text in
// any other call.
func fakeCLI(t *testing.T, version, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "aws")
	script := "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '" + version + "'; exit 0; fi\necho '" + text + "' >&2\nexit 252\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// recorder notes how a test ends.
type recorder struct {
	testing.TB
	end string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Fatalf(f string, a ...any) { r.end = "fail: " + fmt.Sprintf(f, a...) }
func (r *recorder) Skipf(f string, a ...any)  { r.end = "skip: " + fmt.Sprintf(f, a...) }

func TestRequire(t *testing.T) {
	missing := errors.New("no program")
	for name, c := range map[string]struct {
		err            error
		required, want string
	}{
		"found":                 {nil, "", ""},
		"found and required":    {nil, "1", ""},
		"missing":               {missing, "", "skip: LEFT OUT: no program"},
		"missing, not required": {missing, "0", "skip: LEFT OUT: no program"},
		"missing and required":  {missing, "1", "fail: SLIPWAY_REQUIRE_TOOLS=1: no program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SLIPWAY_REQUIRE_TOOLS", c.required)
			r := &recorder{TB: t}
			if got := Require(r, func() (string, error) { return "/bin/program", c.err }); got != "/bin/program" || r.end != c.want {
				t.Errorf("Require returned %q and ended with %q; want %q", got, r.end, c.want)
			}
		})
	}
}
