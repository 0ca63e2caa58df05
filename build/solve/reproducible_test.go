package solve_test

import (
	"slices"
	"testing"

	"slipway/build/solve"
	"slipway/build/target"
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
	at := func(when string, change func(target.Target) target.Target) map[string]solve.Result {
		e.Empty(t)
		o.engines[0].Client = e.Client(t)
		list := plan(t, testkit.WriteTree(t, withProbe(t, stamping)), "WHEN="+when)
		for i := range list {
			list[i] = change(list[i])
		}
		return o.mustBuild(t, list, solve.RunOptions{})
	}
	for name, c := range map[string]struct {
		change func(target.Target) target.Target
		same   bool
	}{
		"reproducible": {func(x target.Target) target.Target { return reproducible(t, x) }, true},
		"reproducible, zstd": {func(x target.Target) target.Target {
			x.Compression = target.Zstd
			return reproducible(t, x)
		}, true},
		"not reproducible": {func(x target.Target) target.Target { return x }, false},
		"of one epoch, times not rewritten": {func(x target.Target) target.Target {
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

func reproducible(t *testing.T, x target.Target) target.Target {
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
	got := b.buildFresh(t, func(_ *solve.RunOptions, list []target.Target) {
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
