package main

import (
	"errors"
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

// TestProgram leaves out tests whose program is missing, unless all programs
// are required.
func TestProgram(t *testing.T) {
	find := func() (string, error) { return "", errors.New("no program") }
	for value, code := range map[string]int{"": 0, "0": 0, "1": 1} {
		t.Setenv("SLIPWAY_REQUIRE_TOOLS", value)
		var out strings.Builder
		if got := report(&out, []gap{program("some tests", find)}); got != code || !strings.Contains(out.String(), "no program") {
			t.Errorf("SLIPWAY_REQUIRE_TOOLS=%q: report returned %d and printed %q; want %d and the reason", value, got, out.String(), code)
		}
	}
}
