package solve_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// twoEngines returns a fixture whose first engine is named for amd64, and the second for
// arm64. Neither runs the other's programs here: the Dockerfiles only copy.
func twoEngines(t *testing.T, wrap ...func(http.Handler) http.Handler) *buildFixture {
	t.Helper()
	o := newBuildFixtureOn(t, enginetest.Shared(t), wrap...)
	second := enginetest.Start(t)
	o.engines[0].Platform = "linux/amd64"
	o.engines = append(o.engines, solve.Engine{Client: second.Client(t), Platform: "linux/arm64"})
	return o
}

// index reads what was pushed, which must be an index.
func (o *buildFixture) index(t *testing.T, r solve.Result) *v1.IndexManifest {
	t.Helper()
	index, err := remote.Index(o.digest(t, r))
	if err != nil {
		t.Fatalf("reading the index of %s: %v", r.Service, err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func platformsOf(m *v1.IndexManifest) []string {
	var out []string
	for _, d := range m.Manifests {
		out = append(out, d.Platform.String())
	}
	return out
}

const severalProject = `services:
  both:
    build: {context: ., platforms: [linux/amd64, linux/arm64], dockerfile_inline: "FROM scratch\nARG TARGETARCH\nCOPY $$TARGETARCH /arch\n"}
  arm:
    build: {context: ., platforms: [linux/arm64], dockerfile_inline: "FROM scratch\nCOPY arm64 /arch\n"}
  any:
    build: {context: ., dockerfile_inline: "FROM scratch\nARG TARGETARCH\nCOPY $$TARGETARCH /arch\n"}
  linked:
    build:
      context: .
      platforms: [linux/arm64, linux/amd64]
      additional_contexts: {base: "service:both"}
      dockerfile_inline: "FROM base\nCOPY who /who\n"
`

func TestSeveralEngines(t *testing.T) {
	o := twoEngines(t)
	t.Parallel()
	list := plan(t, testkit.WriteTree(t, map[string]string{"compose.yaml": severalProject, "amd64": "an amd", "arm64": "an arm", "who": t.Name()}))
	if err := solve.CheckPlatforms(list, []string{"linux/amd64", "linux/arm64"}); err != nil {
		t.Fatal(err)
	}
	first := o.mustBuild(t, list, solve.RunOptions{})
	second := o.mustBuild(t, list, solve.RunOptions{})
	for name, r := range first {
		if r.Digest == "" || second[name].Digest != r.Digest {
			t.Errorf("%s: %s became %s", name, r.Digest, second[name].Digest)
		}
	}
	both := o.index(t, first["both"])
	if got := platformsOf(both); !slices.Equal(got, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("both: %q, want linux/amd64, linux/arm64", got)
	}
	if both.Annotations[target.InputsAnnotation] != "inputs of both" {
		t.Errorf("both: annotations %q, want inputs of both", both.Annotations)
	}
	if got := platformsOf(o.index(t, first["linked"])); !slices.Equal(got, []string{"linux/arm64", "linux/amd64"}) {
		t.Errorf("linked: %q, want linux/arm64, linux/amd64", got)
	}
	o.wantArch(t, first["both"], "linux/amd64", "an amd")
	o.wantArch(t, first["both"], "linux/arm64", "an arm")
	o.wantArch(t, first["linked"], "linux/amd64", "an amd")
	o.wantArch(t, first["linked"], "linux/arm64", "an arm")
	o.want(t, first["arm"], map[string]string{"arch": "an arm"})
	o.want(t, first["any"], map[string]string{"arch": "an amd"}) // the first engine's
}

func (o *buildFixture) wantArch(t *testing.T, r solve.Result, platform, want string) {
	t.Helper()
	p, err := v1.ParsePlatform(platform)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(o.digest(t, r), remote.WithPlatform(*p))
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != p.Architecture {
		t.Errorf("%s for %s: the image is for %s", r.Service, platform, config.Architecture)
	}
	if got := filesOf(t, img)["arch"]; got != want {
		t.Errorf("%s for %s holds %q, want %v", r.Service, platform, got, want)
	}
}

// The parts of a build with attestations are indexes already: what they list is taken over.
func TestSeveralEnginesWithProvenance(t *testing.T) {
	o := twoEngines(t)
	t.Parallel()
	text := strings.ReplaceAll(severalProject, "platforms: [linux/amd64, linux/arm64]", "provenance: true, platforms: [linux/amd64, linux/arm64]")
	list := plan(t, testkit.WriteTree(t, map[string]string{"compose.yaml": text, "amd64": "an amd", "arm64": "an arm", "who": t.Name()}))
	list = slices.DeleteFunc(list, func(x target.Target) bool { return x.Service != "both" })
	r := o.mustBuild(t, list, solve.RunOptions{})["both"]
	if got := platformsOf(o.index(t, r)); !slices.Equal(got, []string{"linux/amd64", "unknown/unknown", "linux/arm64", "unknown/unknown"}) {
		t.Errorf("the index has the platforms %q, want each with an attestation", got)
	}
	o.wantArch(t, r, "linux/arm64", "an arm")
}

// A refused index is a failed push: it is tried again, and the error has its words.
func TestSeveralEnginesIndexRefused(t *testing.T) {
	isIndex := func(r *http.Request) bool {
		return manifestPut(r) && strings.Contains(r.Header.Get("Content-Type"), "image.index")
	}
	f := &faults{match: isIndex, respond: status(503, "busy")}
	f.left.Store(2)
	o := twoEngines(t, f.wrap)
	t.Parallel()
	list := plan(t, testkit.WriteTree(t, map[string]string{"compose.yaml": severalProject, "amd64": "an amd", "arm64": "an arm", "who": t.Name()}))
	list = slices.DeleteFunc(list, func(x target.Target) bool { return x.Service != "both" })
	var count retryCounter
	o.wantArch(t, o.mustBuild(t, list, count.options(4))["both"], "linux/arm64", "an arm")
	if len(count.causes) != 2 || !strings.Contains(count.causes[0], "503") {
		t.Errorf("the causes of retries are %q, want two, the first with 503", count.causes)
	}

	f.respond = status(403, denied)
	f.left.Store(-1)
	failed := o.build(t.Context(), t, list, count.options(4))["both"]
	if failed.Digest != "" || failed.Err == nil || !strings.Contains(failed.Err.Error(), "pushing both: ") || !strings.Contains(failed.Err.Error(), "not authorized") {
		t.Errorf("got %+v, want a refused push and no digest", failed)
	}
	if count.renews != 1 {
		t.Errorf("%d logins renewed, want 1", count.renews)
	}
}

func TestPlatformWithoutAnEngine(t *testing.T) {
	t.Parallel()
	list := plan(t, testkit.WriteTree(t, map[string]string{"compose.yaml": severalProject, "amd64": "", "arm64": "", "who": ""}))
	testkit.WantInputError(t, solve.CheckPlatforms(list, []string{"linux/amd64"}), "services.arm.build.platforms: no engine is named for linux/arm64")
	if err := solve.CheckPlatforms(list, nil); err != nil {
		t.Errorf("one engine for all: %v", err)
	}
}
