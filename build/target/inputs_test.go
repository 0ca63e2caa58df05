package target_test

import (
	"context"
	gofs "io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/tonistiigi/fsutil"

	"slipway/build/target"
	"slipway/internal/testkit"
)

const inputsFile = `services:
  app:
    container_name: app
    build:
      context: ./app
      args: {A: "1"}
      target: last
      additional_contexts: {more: ./more, lay: "oci-layout://./layout@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1"}
      secrets: [file, env]
      ssh: [default]
      tags: [app:one]
secrets: {file: {file: ./secret.txt}, env: {environment: TOKEN}}
`

func inputsTree() map[string]string {
	return map[string]string{
		"compose.yaml": inputsFile, "app/Dockerfile": "FROM scratch AS last\n", "more/file": "", "secret.txt": "one",
		"layout/index.json": `{"schemaVersion":2}`,
	}
}

// inputs plans the tree in a new directory.
func inputs(t *testing.T, tree map[string]string, environ ...string) string {
	t.Helper()
	dir := testkit.WriteTree(t, tree)
	if len(environ) == 0 {
		environ = []string{"TOKEN=a", "SSH_AUTH_SOCK=/run/one"}
	}
	return targets(t, dir, environ...)[0].Inputs(dir, "")
}

func TestInputsDoNotDependOn(t *testing.T) {
	want := inputs(t, inputsTree())
	if !regexp.MustCompile("^[0-9a-f]{64}$").MatchString(want) {
		t.Fatalf("inputs %q", want)
	}
	if got := inputs(t, inputsTree()); got != want {
		t.Error("where the checkout lies")
	}
	if got := inputs(t, inputsTree(), "TOKEN=b", "SSH_AUTH_SOCK=/run/two"); got != want {
		t.Error("a secret's value or where the agent listens")
	}
	for what, change := range map[string][2]string{
		"a secret's file":      {"file: ./secret.txt", "file: ./more/file"},
		"extra tags":           {"app:one", "app:two"},
		"the container's name": {"container_name: app", "container_name: other"},
		"the image's name":     {"    build:", "    image: example.org/x\n    build:"},
		"the repository":       {"    build:", "    x-slipway: {repository: x/y}\n    build:"},
		"the caches":           {"      target:", "      cache_from: [a:b]\n      cache_to: [type=inline]\n      target:"},
		"cache switches":       {"      target:", "      no_cache: true\n      no_cache_filter: [a]\n      pull: true\n      target:"},
	} {
		tree := inputsTree()
		tree["compose.yaml"] = replaced(t, tree["compose.yaml"], change)
		if got := inputs(t, tree); got != want {
			t.Errorf("%s: the inputs are %s, want %s as before", what, got, want)
		}
	}
}

func TestInputsDependOn(t *testing.T) {
	seen := map[string]string{inputs(t, inputsTree()): "the original"}
	for what, change := range map[string][2]string{
		"an argument's value":  {`A: "1"`, `A: "2"`},
		"an argument's name":   {`A: "1"`, `B: "1"`},
		"the target":           {"target: last", "target: first"},
		"the context":          {"context: ./app", "context: ."},
		"the Dockerfile":       {"      target:", "      dockerfile: ../more/file\n      target:"},
		"an inline Dockerfile": {"      target:", "      dockerfile_inline: FROM scratch\n      target:"},
		"another inline one":   {"      target:", "      dockerfile_inline: FROM other\n      target:"},
		"a context's name":     {"more: ./more", "less: ./more"},
		"a context's place":    {"more: ./more", "more: ./layout"},
		"a layout's digest":    {"4bcff", "5bcff"},
		"a secret's id":        {"secrets: [file, env]", "secrets: [file]"},
		"an agent's id":        {"ssh: [default]", "ssh: [other=./more/file]"},
		"a label":              {"      target:", "      labels: {a: b}\n      target:"},
		"a platform":           {"      target:", "      platforms: [linux/arm64]\n      target:"},
		"the network":          {"      target:", "      network: none\n      target:"},
		"a host":               {"      target:", "      extra_hosts: [a=1.1.1.1]\n      target:"},
		"a limit":              {"      target:", "      ulimits: {nofile: 9}\n      target:"},
		"the shared memory":    {"      target:", "      shm_size: 9mb\n      target:"},
		"the attestations":     {"      target:", "      sbom: true\n      target:"},
	} {
		tree := inputsTree()
		tree["Dockerfile"] = "FROM scratch AS last\n"
		tree["compose.yaml"] = replaced(t, tree["compose.yaml"], change)
		got := inputs(t, tree)
		if other, ok := seen[got]; ok {
			t.Errorf("%s makes no difference to %s", what, other)
		}
		seen[got] = what
	}
}

func replaced(t *testing.T, text string, change [2]string) string {
	t.Helper()
	out := regexp.MustCompile(regexp.QuoteMeta(change[0])).ReplaceAllLiteralString(text, change[1])
	if out == text {
		t.Fatalf("no %q to replace", change[0])
	}
	return out
}

func TestDirs(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{
		"compose.yaml": `services:
  a: {build: {context: ./x, dockerfile: ../f/Dockerfile, additional_contexts: {m: ./m}}}
  b: {build: ./x}
  c: {build: {context: ./i, dockerfile_inline: FROM scratch}}
  d: {build: "https://example.org/code.git"}
`, "x/Dockerfile": "", "f/Dockerfile": "", "m/file": "", "i/file": "",
	})
	var want []string
	for _, d := range []string{"f", "i", "m", "x"} {
		want = append(want, filepath.Join(dir, d))
	}
	if got := target.Dirs(targets(t, dir)); !slices.Equal(got, want) {
		t.Errorf("dirs %v, want %v", got, want)
	}
}

// roots lists the files of each root, by label.
func roots(t *testing.T, dir string, own ...string) map[string][]string {
	t.Helper()
	list, err := target.Roots(t.Context(), dir, targets(t, dir), own)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, r := range list {
		out[r.Label] = walk(t, r.FS)
	}
	return out
}

func walk(t *testing.T, tree fsutil.FS) []string {
	t.Helper()
	var out []string
	err := tree.Walk(t.Context(), "", func(path string, d gofs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRoots(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{
		"compose.yaml": `services:
  a: {build: {context: ./x, additional_contexts: {m: ./m}}}
  b: {build: {context: ./x, dockerfile: b.Dockerfile}}
  c: {build: {context: ./low}}
  d: {build: {context: ./x, dockerfile_inline: FROM scratch}}
`,
		"x/Dockerfile": "", "x/.dockerignore": "*.log\nDockerfile\n", "x/keep": "", "x/drop.log": "", "x/out.json": "",
		"x/b.Dockerfile": "", "x/b.Dockerfile.dockerignore": "keep\n", "m/file": "", "m/drop": "", "m/.dockerignore": "drop",
		"low/dockerfile": "", "low/.dockerignore": "*",
	})
	want := map[string][]string{
		"a context":    {".dockerignore", "b.Dockerfile", "b.Dockerfile.dockerignore", "keep"},
		"a dockerfile": {"Dockerfile"},
		"a context m":  {".dockerignore", "file"},
		"a settings":   {"settings"},
		"b context":    {".dockerignore", "Dockerfile", "b.Dockerfile", "b.Dockerfile.dockerignore", "drop.log"},
		"b dockerfile": {"b.Dockerfile", "b.Dockerfile.dockerignore"},
		"b settings":   {"settings"},
		"c dockerfile": {"dockerfile"},
		"c context":    nil,
		"c settings":   {"settings"},
		"d context":    {".dockerignore", "b.Dockerfile", "b.Dockerfile.dockerignore", "keep"},
		"d settings":   {"settings"},
	}
	got := roots(t, dir, filepath.Join(dir, "x", "out.json"), filepath.Join(dir, "elsewhere.json"))
	if !maps.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("roots\n have %v\n want %v", got, want)
	}
}

func TestBrokenDockerignore(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {a: {build: .}}", "Dockerfile": "", ".dockerignore": "[\n"})
	list := targets(t, dir)
	if _, err := target.Roots(t.Context(), dir, list, nil); err == nil {
		t.Error("a broken pattern is taken")
	}
}

func TestRootsHeedTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := target.Roots(ctx, "", nil, nil); err == nil {
		t.Error("no error")
	}
}

// TestTargetsComeAlikeEachTime loads one project again and again: what compose-go keeps
// in maps comes in any order, and a revision is only found again by equal Inputs.
func TestTargetsComeAlikeEachTime(t *testing.T) {
	dir, first := allKeys(t)
	for range 60 {
		p := load(t, dir, "TAG=7", "FROM_HOST=yes", "API_TOKEN=s3cr3t-token", "SSH_AUTH_SOCK=/run/agent.sock")
		again, _, err := target.Select(p, target.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, first) {
			t.Fatalf("now %+v, first %+v", again, first)
		}
	}
}
