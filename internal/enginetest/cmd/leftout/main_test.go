package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	none, reason := error(nil), errors.New("no hands")
	for name, c := range map[string]struct {
		engine, other error
		required      bool
		code          int
	}{
		"all can run":          {none, none, true, 0},
		"engine left out":      {reason, none, false, 0},
		"engine must be there": {reason, none, true, 1},
		"other left out":       {none, reason, true, 0},
		"both":                 {reason, reason, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if code := report(&out, []gap{{"engine tests", c.engine, c.required}, {"other tests", c.other, false}}); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for what, why := range map[string]error{"engine tests": c.engine, "other tests": c.other} {
				if said := strings.Contains(out.String(), "LEFT OUT: "+what+"\n* no hands\n"); said != (why != nil) {
					t.Errorf("it printed %q", out.String())
				}
			}
			if c.engine == nil && c.other == nil && out.Len() > 0 {
				t.Errorf("nothing was left out, and it printed %q", out.String())
			}
		})
	}
}

// Scripts replace AWS CLIs of several ages.
func TestNewAWSCLI(t *testing.T) {
	const (
		v2   = "aws-cli/2.9.19 Python/3.11.2"
		v1   = "aws-cli/1.45.11 Python/3.11.7"
		old  = "aws: error: argument operation: Invalid choice, valid choices are:"
		knew = "aws: error: the following arguments are required: --service"
	)
	for name, c := range map[string]struct {
		// first and second are the outputs of the two CLIs for --version and for the operation.
		first, second [2]string
		want          string
	}{
		"new":               {[2]string{v2, knew}, [2]string{v1, old}, ""},
		"a new one besides": {[2]string{v2, old}, [2]string{v1, knew}, ""},
		"old":               {[2]string{v2, old}, [2]string{v1, old}, "older than October 2024"},
		"no version 2":      {[2]string{v1, knew}, [2]string{v1, knew}, "no AWS CLI of version 2"},
		"broken":            {[2]string{v2, "Traceback"}, [2]string{v1, ""}, "older than October 2024"},
	} {
		t.Run(name, func(t *testing.T) {
			names := []string{fakeCLI(t, c.first), fakeCLI(t, c.second)}
			switch err := newAWSCLI(names); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// fakeCLI writes a command that prints its version, and fails with a text on all else.
func fakeCLI(t *testing.T, prints [2]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "aws")
	script := "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '" + prints[0] + "'; exit 0; fi\necho '" + prints[1] + "' >&2\nexit 252\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
