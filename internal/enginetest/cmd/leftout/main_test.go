package main

import (
	"errors"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	reason := errors.New("no hands")
	for name, c := range map[string]struct {
		unavailable error
		required    bool
		code        int
	}{
		"can run":   {nil, true, 0},
		"left out":  {reason, false, 0},
		"must have": {reason, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if code := report(&out, c.unavailable, c.required); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if said := strings.Contains(out.String(), "no hands"); said != (c.unavailable != nil) {
				t.Errorf("it printed %q", out.String())
			}
		})
	}
}
