package solve_test

import (
	"slices"
	"strings"
	"testing"

	"slipway/build/solve"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// stamping has a step that writes a file at the time that its secret holds.
// Secrets are not part of any digest.
var stamping = map[string]string{
	"compose.yaml": `services:
  app: {build: {context: ., secrets: [when]}}
  both: {build: {context: ., dockerfile: Both, secrets: [when], platforms: [linux/amd64, linux/arm64]}}
secrets: {when: {environment: WHEN}}
`,
	"Dockerfile": `FROM scratch
COPY --chmod=755 probe /probe
RUN --mount=type=secret,id=when ["/probe","stamp","/run/secrets/when","/out/file"]
WORKDIR /made/here
`,
	"Both": `FROM --platform=$BUILDPLATFORM scratch AS made
COPY --chmod=755 probe /probe
RUN --mount=type=secret,id=when ["/probe","stamp","/run/secrets/when","/out/file"]
FROM scratch
COPY --from=made /out /out
COPY Both /
`,
}

// Two builds at different times on engines without a cache give the same image if
// the targets are reproducible, and different ones if not.
func TestReproducible(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	o := newBuildFixtureOn(t, e)
	at := func(when string, change func(solve.Target) solve.Target) map[string]solve.Result {
		e.Empty(t)
		o.engines[0].Client = e.Client(t)
		list := plan(t, testkit.WriteTree(t, withProbe(t, stamping)), "WHEN="+when)
		for i := range list {
			list[i] = change(list[i])
		}
		return o.mustBuild(t, list, solve.RunOptions{})
	}
	for name, c := range map[string]struct {
		change func(solve.Target) solve.Target
		same   bool
	}{
		"reproducible": {func(x solve.Target) solve.Target { return reproducible(t, x) }, true},
		"reproducible, zstd": {func(x solve.Target) solve.Target {
			x.Compression = solve.Zstd
			return reproducible(t, x)
		}, true},
		"not reproducible": {func(x solve.Target) solve.Target { return x }, false},
		"of one epoch, times not rewritten": {func(x solve.Target) solve.Target {
			x = reproducible(t, x)
			x.Reproducible = false
			return x
		}, false},
	} {
		first, second := at("1000000000", c.change), at("1100000000", c.change)
		for _, service := range []string{"app", "both"} {
			if same := first[service].Digest == second[service].Digest; same != c.same {
				t.Errorf("%s: %s was built as %s and as %s", name, service, first[service].Digest, second[service].Digest)
			}
		}
	}
}

func reproducible(t *testing.T, x solve.Target) solve.Target {
	t.Helper()
	out, warnings, err := x.AsReproducible("")
	if err != nil || len(warnings) > 0 {
		t.Fatalf("AsReproducible: error %v, warnings %q; want neither", err, warnings)
	}
	return out
}

// The layers of the base image stay as they are: other images share them.
func TestReproducibleKeepsTheBase(t *testing.T) {
	t.Parallel()
	b := newCacheFixtureOnBase(t)
	got := b.buildFresh(t, func(_ *solve.RunOptions, list []solve.Target) {
		for i := range list {
			list[i] = reproducible(t, list[i])
		}
	})
	wantBuilt(t, got)
	base := b.layers(t, "base", "latest")
	if layers := b.layers(t, "other", got["other"].Digest); len(layers) <= len(base) || !slices.Equal(layers[:len(base)], base) {
		t.Errorf("layers %q on a base of %q", layers, base)
	}
}

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
		_, _, err := solve.Target{Service: "app"}.AsReproducible(epoch)
		wantInputError(t, err, where+`"`+epoch+`" is not a number of seconds`)
		_, _, err = solve.Target{Service: "app", Args: map[string]string{"SOURCE_DATE_EPOCH": epoch}}.AsReproducible("")
		wantInputError(t, err, "services.app.build.args."+where+`"`+epoch+`" is not a number of seconds`)
	}
}

// Attestations contain the time of the build.
func TestReproducibleLeavesAttestationsOut(t *testing.T) {
	t.Parallel()
	got, warnings, err := solve.Target{Service: "app", Provenance: "mode=max", SBOM: "true"}.AsReproducible("")
	if err != nil || got.Provenance != "" || got.SBOM != "" {
		t.Errorf("%v, provenance %q, sbom %q", err, got.Provenance, got.SBOM)
	}
	text := strings.Join(warnings, "\n")
	if len(warnings) != 2 || !strings.Contains(text, "services.app.build.provenance is left out") || !strings.Contains(text, "services.app.build.sbom is left out") {
		t.Errorf("warnings %q", warnings)
	}
}
