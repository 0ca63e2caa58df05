package target_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"slipway/build/target"
)

// The argument BUILDKIT_INLINE_CACHE adds an inline cache to the other caches, as buildx
// does (build/opt.go).
func TestInlineCacheArgument(t *testing.T) {
	_, own := target.RegistryCache("r/app:buildcache")
	for _, row := range []struct {
		lines []string
		push  []target.Cache
		want  string
	}{
		{[]string{`args: {BUILDKIT_INLINE_CACHE: "1"}`}, nil, "inline"},
		{[]string{`args: {BUILDKIT_INLINE_CACHE: "true"}`}, []target.Cache{own}, "registry inline"},
		{[]string{`args: {BUILDKIT_INLINE_CACHE: "1"}`}, []target.Cache{{Type: "inline"}}, "inline"},
		{[]string{`args: {BUILDKIT_INLINE_CACHE: "1"}`, `cache_to: ["type=inline"]`}, []target.Cache{own}, "inline"},
		{[]string{`args: {BUILDKIT_INLINE_CACHE: "1"}`, `cache_to: ["type=local,dest=/x"]`}, []target.Cache{own}, "local inline"},
		{[]string{`args: {BUILDKIT_INLINE_CACHE: "0"}`}, []target.Cache{own}, "registry"},
		{[]string{`args: {BUILDKIT_INLINE_CACHE: "perhaps"}`}, nil, ""},
	} {
		x, err := planKeys(t, keyProject(t, row.lines...))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range x.SolveOpt(target.Push{CacheTo: row.push}, target.Sources{}).CacheExports {
			got = append(got, c.Type)
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%q with %v exports the caches %q, want %s", row.lines, row.push, got, row.want)
		}
	}
}

// A platform counts once, however it is written.
func TestPlatformsCountOnce(t *testing.T) {
	for written, want := range map[string]string{
		"[linux/amd64, linux/amd64]":                "linux/amd64",
		"[linux/x86_64, linux/arm64, linux/amd64]":  "linux/amd64 linux/arm64",
		"[linux/arm64/v8, linux/aarch64]":           "linux/arm64",
		"[linux/arm/v7, linux/arm, linux/arm/v6]":   "linux/arm/v7 linux/arm/v6",
		"[linux/arm64, linux/amd64]":                "linux/arm64 linux/amd64",
		"[linux/amd64/v1, linux/amd64/v2, x86_64]":  "linux/amd64 linux/amd64/v2",
		"[linux/i386, linux/386, linux/386/softfp]": "linux/386 linux/386/softfp",
	} {
		x, err := planKeys(t, keyProject(t, "platforms: "+written))
		if err != nil {
			t.Errorf("platforms: %s: %v", written, err)
			continue
		}
		if got := strings.Join(x.Platforms, " "); got != want {
			t.Errorf("platforms: %s are %q, want %q", written, got, want)
		}
	}
}

// The name of an additional context is the one that BuildKit looks for.
func TestContextNamesAreNormalised(t *testing.T) {
	for written, want := range map[string]string{
		"busybox":                             "busybox",
		"busybox:latest":                      "busybox",
		"docker.io/library/busybox":           "busybox",
		"docker.io/library/busybox:latest":    "busybox",
		"index.docker.io/library/busybox":     "busybox",
		"library/busybox:1.36":                "busybox:1.36",
		"docker.io/someone/tool:latest":       "someone/tool",
		"public.ecr.aws/lambda/python:latest": "public.ecr.aws/lambda/python",
		"localhost:5000/a:b":                  "localhost:5000/a:b",
	} {
		x, err := planKeys(t, keyProject(t, "additional_contexts: {'"+written+"': ./other}"))
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		if got := slices.Collect(maps.Keys(x.Contexts)); len(got) != 1 || got[0] != want {
			t.Errorf("the context %s is called %q, want %s", written, got, want)
		}
	}
}

func TestContextNamedTwiceIsRefused(t *testing.T) {
	wantRefused(t, "additional_contexts: {busybox: ./other, 'docker.io/library/busybox:latest': .}",
		"services.app.build.additional_contexts.docker.io/library/busybox:latest: is the same context as busybox", "keep one")
}

// BuildKit refuses FROM and --from with such a name, but not a context that has it.
func TestContextThatNoDockerfileCanUseIsWarnedOf(t *testing.T) {
	p := load(t, keyProject(t, "additional_contexts: {'Upper Case': ./other}"))
	_, warnings, err := target.Select(p, target.Selection{})
	want := "services.app.build.additional_contexts.Upper Case has no effect, since a Dockerfile cannot use this name: invalid reference format"
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], want) {
		t.Errorf("Select() warns %q, %v, want %s", warnings, err, want)
	}
}
