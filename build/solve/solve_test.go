package solve_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/testkit"
)

func TestSolvePlainKeys(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	got := o.buildProject(t, map[string]string{
		"compose.yaml": `services:
  inline:
    build:
      context: .
      args: {WORD: hello, QUOTED: 'a,"b"', FROM_HOST: }
      labels: {org.example.note: 'x,y'}
      dockerfile_inline: ` + inlined(probing("ARG WORD", "ARG QUOTED", "ARG FROM_HOST", "see env WORD /word", "see env QUOTED /quoted", "see env FROM_HOST /host")) + `
  staged:
    build: {context: ., target: first, dockerfile: docker/Staged}
  lower:
    build: ./low
`,
		"docker/Staged": "FROM scratch AS first\nCOPY a /a\nFROM scratch AS second\nCOPY a /b\n",
		"a":             "A", "low/dockerfile": "FROM scratch\nCOPY l /l\n", "low/l": "L",
	}, "FROM_HOST=yes")
	o.want(t, got["inline"], map[string]string{"word": "hello", "quoted": `a,"b"`, "host": "yes"})
	o.want(t, got["staged"], map[string]string{"a": "A", "b": ""})
	o.want(t, got["lower"], map[string]string{"l": "L"})
	config, err := o.image(t, got["inline"]).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if label := config.Config.Labels["org.example.note"]; label != "x,y" {
		t.Errorf("label %q, want x,y", label)
	}
}

func TestSolveSandboxKeys(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	got := o.buildProject(t, map[string]string{
		"compose.yaml": `services:
  limited:
    build:
      context: .
      ulimits: {core: {soft: 111, hard: 222}}
      extra_hosts: ["db=10.9.8.7", "six=[fe80::1]"]
      shm_size: 16mb
      dockerfile_inline: ` + inlined(probing("see core /core", "see file /etc/hosts /hosts", "see shm /shm", "see interfaces /net")) + `
  cut-off:
    build:
      context: .
      network: none
      dockerfile_inline: ` + inlined(probing("see interfaces /net")) + `
  trusted:
    build:
      context: .
      entitlements: [security.insecure]
      dockerfile_inline: ` + inlined(probing("--security=insecure | see file /proc/self/status /status")) + `
`})
	limited := o.files(t, got["limited"])
	if limited["core"] != "111:222" || limited["shm"] != "16777216" {
		t.Errorf("core %s, shm %s", limited["core"], limited["shm"])
	}
	for _, line := range []string{"10.9.8.7\tdb", "fe80::1\tsix"} {
		if !strings.Contains(limited["hosts"], line) {
			t.Errorf("no %q in /etc/hosts:\n%s", line, limited["hosts"])
		}
	}
	if limited["net"] == "lo" || limited["net"] == "" {
		t.Errorf("by default the interfaces are %q", limited["net"])
	}
	o.want(t, got["cut-off"], map[string]string{"net": "lo"})
	if status := o.files(t, got["trusted"])["status"]; !strings.Contains(status, "NoNewPrivs:\t0") || !hasAdmin(status) {
		t.Errorf("an insecure step has\n%s", status)
	}
}

// hasAdmin reads CAP_SYS_ADMIN, bit 21, from /proc/self/status.
func hasAdmin(status string) bool {
	_, rest, _ := strings.Cut(status, "CapEff:\t")
	return len(rest) > 16 && strings.ContainsRune("2367abef", rune(rest[10]))
}

// Without the entitlement the engine refuses, whatever the Dockerfile says.
func TestSolveWithoutEntitlement(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	list := plan(t, testkit.WriteTree(t, withProbe(t, map[string]string{"compose.yaml": `services:
  app: {build: .}
`, "Dockerfile": probing("--security=insecure | see env X /x")})))
	got := o.build(t.Context(), t, list, solve.RunOptions{})["app"]
	if got.Err == nil || !strings.Contains(got.Err.Error(), "security.insecure is not allowed") {
		t.Errorf("got error %v, want that security.insecure is not allowed", got.Err)
	}
}

// annotations are those of the pushed manifest, and how many manifests an index has.
func (o *buildFixture) annotations(t *testing.T, r solve.Result) (annotations map[string]string, children int) {
	t.Helper()
	desc, err := remote.Get(o.digest(t, r))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Annotations map[string]string
		Manifests   []json.RawMessage
	}
	if err := json.Unmarshal(desc.Manifest, &m); err != nil {
		t.Fatal(err)
	}
	return m.Annotations, len(m.Manifests)
}

func TestSolvePlatformsAndAnnotation(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	got := o.buildProject(t, map[string]string{
		"compose.yaml": `services:
  one: {build: .}
  arm: {build: ., platform: linux/arm64}
  two: {build: {context: ., platforms: [linux/amd64, linux/arm64]}}
`, "Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH* a /\n", "a": "A",
	})
	for service, children := range map[string]int{"one": 0, "arm": 0, "two": 2} {
		have, n := o.annotations(t, got[service])
		if n != children || have[target.InputsAnnotation] != "inputs of "+service {
			t.Errorf("%s: %d manifests, annotations %v", service, n, have)
		}
	}
	arm, err := o.image(t, got["arm"]).ConfigFile()
	if err != nil || arm.Architecture != "arm64" {
		t.Errorf("the image of arm has the configuration %+v, %v, want arm64", arm, err)
	}
	index, err := remote.Index(o.digest(t, got["two"]))
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var archs []string
	for _, d := range m.Manifests {
		archs = append(archs, d.Platform.Architecture)
	}
	if slices.Sort(archs); !slices.Equal(archs, []string{"amd64", "arm64"}) {
		t.Errorf("platforms %v, want amd64, arm64", archs)
	}
}

// Promise 1 begins here: whatever is pushed, no tag appears.
func TestSolveMakesNoTag(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	o.buildProject(t, map[string]string{"compose.yaml": "services: {app: {image: 'app:1', build: {context: ., tags: ['app:2']}}}", "Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
	repo, err := name.NewRepository(o.host + "/app")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := remote.List(repo)
	if err != nil || len(tags) != 0 {
		t.Errorf("tags %v, %v", tags, err)
	}
}

// no_cache_filter runs the stage named again and leaves the other alone; no_cache runs all.
func TestSolveCacheSwitches(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	tree := func(keys string) map[string]string {
		return withProbe(t, map[string]string{
			"compose.yaml": "services: {app: {build: {context: ." + keys + "}}}",
			"Dockerfile": `FROM scratch AS one
COPY --chmod=755 probe /probe
RUN ["/probe", "see", "time", "/first"]
FROM one AS two
RUN ["/probe", "see", "time", "/second"]
`,
		})
	}
	stamps := func(keys string) map[string]string {
		return o.files(t, o.mustBuild(t, plan(t, testkit.WriteTree(t, tree(keys))), solve.RunOptions{})["app"])
	}
	before := stamps("")
	if again := stamps(""); !maps.Equal(again, before) {
		t.Errorf("cached, %v became %v", before, again)
	}
	filtered := stamps(", no_cache_filter: [two]")
	if filtered["first"] != before["first"] || filtered["second"] == before["second"] {
		t.Errorf("filtered, %v became %v", before, filtered)
	}
	if fresh := stamps(", no_cache: true"); fresh["first"] == before["first"] || fresh["second"] == before["second"] {
		t.Errorf("without cache, %v became %v", before, fresh)
	}
}

// What Slipway writes into the project must not change the next image.
func TestOwnFilesStayOut(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	dir := testkit.WriteTree(t, map[string]string{
		"compose.yaml": "services: {app: {build: ./sub}}", "sub/Dockerfile": "FROM scratch\nCOPY . /\n",
		"sub/imagedefinitions.json": "mine", "sub/deep/imagedefinitions.json": "yours", "sub/a": "A",
	})
	own := []string{dir + "/sub/imagedefinitions.json", dir + "/elsewhere.json"}
	got := o.mustBuild(t, plan(t, dir), solve.RunOptions{Own: own})["app"]
	want := map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "deep/imagedefinitions.json": "yours", "a": "A"}
	if have := o.files(t, got); !maps.Equal(have, want) {
		t.Errorf("files %v, want %v", have, want)
	}
}
