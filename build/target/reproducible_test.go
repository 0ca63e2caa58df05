package target_test

import (
	"strings"
	"testing"

	"slipway/build/target"
	"slipway/internal/testkit"
)

func TestAsReproducible(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		about, args, epoch, want string
	}{
		{"no time given", "{}", "", "315532800"},
		{"the environment's", "{A: b}", "1700000000", "1700000000"},
		{"the service's", "{SOURCE_DATE_EPOCH: 1600000000}", "1700000000", "1600000000"},
	} {
		list := targets(t, testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {app: {build: {context: ., args: " + c.args + "}}}", "Dockerfile": "FROM scratch\n"}))
		got, warnings, err := list[0].AsReproducible(c.epoch)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, warnings %q", c.about, err, warnings)
		}
		if have := got.Args["SOURCE_DATE_EPOCH"]; have != c.want || !got.Reproducible {
			t.Errorf("%s: the epoch is %q, want %q; reproducible: %v", c.about, have, c.want, got.Reproducible)
		}
		if before := list[0].Args["SOURCE_DATE_EPOCH"]; c.want == "315532800" && before != "" {
			t.Errorf("%s: the target itself got the epoch %q", c.about, before)
		}
	}
}

func TestAsReproducibleRefusesOtherTimes(t *testing.T) {
	t.Parallel()
	for epoch, where := range map[string]string{"yesterday": "SOURCE_DATE_EPOCH: ", "-1": "SOURCE_DATE_EPOCH: ", "1.5": "SOURCE_DATE_EPOCH: "} {
		_, _, err := target.Target{Service: "app"}.AsReproducible(epoch)
		wantInputError(t, err, where+`"`+epoch+`" is not a number of seconds`)
		_, _, err = target.Target{Service: "app", Args: map[string]string{"SOURCE_DATE_EPOCH": epoch}}.AsReproducible("")
		wantInputError(t, err, "services.app.build.args."+where+`"`+epoch+`" is not a number of seconds`)
	}
}

// Attestations contain the time of the build.
func TestReproducibleLeavesAttestationsOut(t *testing.T) {
	t.Parallel()
	got, warnings, err := target.Target{Service: "app", Provenance: "mode=max", SBOM: "true"}.AsReproducible("")
	if err != nil || got.Provenance != "" || got.SBOM != "" {
		t.Errorf("%v, provenance %q, sbom %q", err, got.Provenance, got.SBOM)
	}
	text := strings.Join(warnings, "\n")
	if len(warnings) != 2 || !strings.Contains(text, "services.app.build.provenance is left out") || !strings.Contains(text, "services.app.build.sbom is left out") {
		t.Errorf("warnings %q", warnings)
	}
}
