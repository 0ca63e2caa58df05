package findings_test

import (
	"strings"
	"testing"

	"slipway/cmd/findings"
	"slipway/doctor"
	"slipway/internal/fault"
)

func TestChecklist(t *testing.T) {
	t.Parallel()
	got := findings.Checklist([]doctor.Finding{
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
	const none = fault.Kind(-1)
	failed := func(kind fault.Kind) doctor.Finding { return doctor.Finding{Status: doctor.StatusFailed, Kind: kind} }
	for _, c := range []struct {
		findings []doctor.Finding
		want     fault.Kind
	}{
		{nil, none},
		{[]doctor.Finding{doctor.Fine("x"), doctor.Warned("", "y"), doctor.Unchecked("", "z")}, none},
		{[]doctor.Finding{doctor.Fine("x"), failed(fault.Input)}, fault.Input},
		{[]doctor.Finding{failed(fault.Input), failed(fault.AWS)}, fault.AWS},
		{[]doctor.Finding{failed(fault.AWS), failed(fault.Other)}, fault.AWS},
		{[]doctor.Finding{failed(fault.Input), failed(fault.Other)}, fault.Other},
		{[]doctor.Finding{failed(fault.Input).Softened()}, none},
	} {
		text, err := findings.Verdict(c.findings)
		got := none
		if err != nil {
			got = fault.KindOf(err)
		}
		if got != c.want || (err == nil) != strings.HasPrefix(text, "build would be able to run: ") {
			t.Errorf("%v: %v and %q, want %v", c.findings, got, text, c.want)
		}
	}
}
