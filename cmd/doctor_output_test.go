package cmd

import (
	"io"
	"testing"

	"github.com/rs/zerolog"

	"slipway/doctor"
	"slipway/internal/fault"
)

func TestChecklist(t *testing.T) {
	t.Parallel()
	got := checklist([]doctor.Finding{
		{Check: "compose file", Subject: "shop", Status: doctor.StatusOK, Detail: "fine"},
		{Check: "tags", Subject: "shop/ä", Status: doctor.StatusFailed, Detail: "one\ntwo", Remedy: "do this\nand that"},
		{Check: "runc", Status: doctor.StatusUnchecked, Detail: "why"},
	})
	want := `ok           compose file  shop    fine
failed       tags          shop/ä  one
    two
    what to do: do this
    and that
not checked  runc                  why
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	w := &cli{log: zerolog.New(io.Discard)}
	failed := func(kind fault.Kind) doctor.Finding { return doctor.Finding{Status: doctor.StatusFailed, Kind: kind} }
	for _, c := range []struct {
		findings []doctor.Finding
		want     int
	}{
		{nil, exitDone},
		{[]doctor.Finding{doctor.Fine("x"), doctor.Warned("", "y"), doctor.Unchecked("", "z")}, exitDone},
		{[]doctor.Finding{doctor.Fine("x"), failed(fault.Input)}, exitUsage},
		{[]doctor.Finding{failed(fault.Input), failed(fault.AWS)}, exitAWS},
		{[]doctor.Finding{failed(fault.AWS), failed(fault.Other)}, exitAWS},
		{[]doctor.Finding{failed(fault.Input), failed(fault.Other)}, exitOther},
		{[]doctor.Finding{failed(fault.Input).Softened()}, exitDone},
	} {
		err := verdict(w, c.findings)
		got := exitDone
		if err != nil {
			got = exitCode(t.Context(), err)
		}
		if got != c.want {
			t.Errorf("%v: %d, want %d", c.findings, got, c.want)
		}
	}
}
