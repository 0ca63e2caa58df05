package solve_test

import (
	"errors"
	"strings"
	"testing"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/testkit"
)

// inOrder returns a project of two services that have a directory and their first and
// last step in common. The second needs the first, so that the engine has finished the
// first before it starts the second.
func inOrder() map[string]string {
	service := func(name, more string) string {
		return "  " + name + ":\n    build:\n      context: .\n" + more +
			"      dockerfile_inline: " + inlined(probing("see time /"+name, "COPY compose.yaml /"))
	}
	return map[string]string{"compose.yaml": "services:\n" + service("app", "") +
		service("last", "      additional_contexts: {first: \"service:app\"}\n")}
}

func wantSame(t *testing.T, a, b map[string]solve.Result) {
	t.Helper()
	for service := range a {
		if a[service].Digest != b[service].Digest {
			t.Errorf("%s: %s became %s", service, a[service].Digest, b[service].Digest)
		}
	}
}

// The cache of a service holds the steps that it shares with the one before it.
func TestCacheHoldsSharedSteps(t *testing.T) {
	t.Parallel()
	b := newCacheFixture(t, inOrder())
	one := func(o *solve.RunOptions, _ []target.Target) { o.Jobs = 1 }
	first := b.buildFresh(t, one)
	wantBuilt(t, first)
	second := b.buildFresh(t, one)
	wantBuilt(t, second)
	wantSame(t, first, second)
}

// The cache of an image for several platforms holds the steps of each of them.
func TestCacheHoldsSharedStepsOfPlatforms(t *testing.T) {
	t.Parallel()
	const build = "    build:\n      context: .\n      platforms: [linux/amd64, linux/arm64]\n"
	b := newCacheFixture(t, map[string]string{
		"compose.yaml": "services:\n  app:\n" + build + "  last:\n" + build + "      additional_contexts: {first: \"service:app\"}\n",
		"Dockerfile":   "FROM scratch\nCOPY compose.yaml /\nCOPY Dockerfile /\n",
	})
	first := b.buildFresh(t)
	wantBuilt(t, first)
	for service := range first {
		if n := len(b.layers(t, service, cacheTag)); n != 2 {
			t.Errorf("the cache of %s has %d layers, want 2", service, n)
		}
	}
	// The files have other times now, and a step that ran again would show it.
	second := b.buildFresh(t)
	wantBuilt(t, second)
	wantSame(t, first, second)
}

// An inline cache holds the shared steps, too.
func TestInlineCacheHoldsSharedSteps(t *testing.T) {
	t.Parallel()
	b := newCacheFixture(t, inOrder())
	var before map[string]solve.Result
	inline := func(o *solve.RunOptions, _ []target.Target) {
		for service, p := range o.Push {
			p.CacheFrom, p.CacheTo = nil, []target.Cache{{Type: "inline"}}
			if before != nil {
				from, _ := target.RegistryCache(p.Repository + "@" + before[service].Digest)
				p.CacheFrom = []target.Cache{from}
			}
			o.Push[service] = p
		}
	}
	before = b.buildFresh(t, inline)
	wantBuilt(t, before)
	again := b.buildFresh(t, inline)
	wantBuilt(t, again)
	wantSame(t, before, again)
}

// A build that writes an inline cache reports the lines of a failed step, too.
func TestFailedStepWithInlineCache(t *testing.T) {
	b := newBuildFixture(t)
	t.Parallel()
	list := plan(t, testkit.WriteTree(t, withProbe(t, services(map[string][]string{"bad": {"fail on purpose"}}))))
	push := b.pushes(list)
	p := push["bad"]
	p.CacheTo = []target.Cache{{Type: "inline"}}
	push["bad"] = p
	got := b.build(t.Context(), t, list, solve.RunOptions{Push: push})["bad"]
	var failed *solve.FailedError
	if !errors.As(got.Err, &failed) || !strings.Contains(failed.Lines, "purpose") || failed.Pushing {
		t.Errorf("got %+v, want a FailedError with the lines of the step", got.Err)
	}
}
