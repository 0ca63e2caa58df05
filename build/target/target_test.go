package target_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/build/target"
	"slipway/internal/allow"
	"slipway/internal/testkit"
	"slipway/project/compose"
)

const linked = `services:
  top:
    build:
      context: .
      dockerfile_inline: FROM scratch
      additional_contexts: {x: "service:mid", y: "service:leaf", z: "service:mid"}
  mid:
    build: {context: ., dockerfile_inline: FROM scratch, additional_contexts: {x: "service:leaf"}}
  leaf:
    build: {context: ., dockerfile_inline: FROM scratch}
  alone:
    build: {context: ., dockerfile_inline: FROM scratch}
    container_name: lonely
    image: alone:1
    x-slipway: {repository: shop/alone}
  bought:
    image: example.org/bought
`

func names(list []target.Target) []string {
	var out []string
	for _, x := range list {
		out = append(out, x.Service)
	}
	return out
}

func TestSelection(t *testing.T) {
	p := load(t, testkit.WriteTree(t, map[string]string{"compose.yaml": linked}))
	for _, row := range []struct{ ask, want, others []string }{
		{nil, []string{"alone", "leaf", "mid", "top"}, nil},
		{[]string{"leaf"}, []string{"leaf"}, []string{"alone", "mid", "top"}},
		{[]string{"mid"}, []string{"leaf", "mid"}, []string{"alone", "top"}},
		{[]string{"top"}, []string{"leaf", "mid", "top"}, []string{"alone"}},
		{[]string{"mid", "alone", "mid"}, []string{"alone", "leaf", "mid"}, []string{"top"}},
	} {
		list, _, err := target.Select(p, target.Selection{Services: row.ask})
		if err != nil {
			t.Fatal(err)
		}
		others, err := target.Unselected(p, list)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(names(list), row.want) || !slices.Equal(names(others), row.others) {
			t.Errorf("build %v: targets %v, others %v", row.ask, names(list), names(others))
		}
	}
}

func TestLinks(t *testing.T) {
	list := targets(t, testkit.WriteTree(t, map[string]string{"compose.yaml": linked}))
	if links := byService(t, list, "top").Links(); !slices.Equal(links, []string{"leaf", "mid"}) {
		t.Errorf("top links to %v, want leaf, mid", links)
	}
	if links := byService(t, list, "leaf").Links(); links != nil {
		t.Errorf("leaf links to %v", links)
	}
}

func TestOthersCarryTheirNames(t *testing.T) {
	p := load(t, testkit.WriteTree(t, map[string]string{"compose.yaml": linked}))
	list, _, err := target.Select(p, target.Selection{Services: []string{"leaf"}})
	if err != nil {
		t.Fatal(err)
	}
	others, err := target.Unselected(p, list)
	if err != nil {
		t.Fatal(err)
	}
	alone := byService(t, others, "alone")
	if alone.Container != "lonely" || alone.Image != "alone:1" || alone.Settings.Repository != "shop/alone" {
		t.Errorf("alone is %+v", alone)
	}
}

func TestSelectionErrors(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"compose.yaml": linked})
	p := load(t, dir)
	for _, row := range []struct{ ask, want string }{
		{"nobody", filepath.Join(dir, "compose.yaml") + `: no service "nobody"`},
		{"bought", "services.bought: the service has no build section"},
	} {
		_, _, err := target.Select(p, target.Selection{Services: []string{row.ask}})
		wantInputError(t, err, row.want)
	}
}

func TestNothingToBuild(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {a: {image: example.org/a}}"})
	_, _, err := target.Select(load(t, dir), target.Selection{})
	wantInputError(t, err, filepath.Join(dir, "compose.yaml")+": no service has a build section")
}

// compose-go finds the first of these itself, in the file; a project put together in
// another way must be refused as well.
func TestLinkToAServiceWithoutBuild(t *testing.T) {
	p := load(t, testkit.WriteTree(t, map[string]string{"compose.yaml": linked}))
	p.Services["mid"].Build.AdditionalContexts["x"] = "service:bought"
	_, _, err := target.Select(p, target.Selection{})
	wantInputError(t, err, "services.bought: the service has no build section")
	p.Services["mid"].Build.AdditionalContexts["x"] = "service:nobody"
	_, _, err = target.Select(p, target.Selection{})
	wantInputError(t, err, `services.mid.build.additional_contexts: no service "nobody"`)
}

func TestCircles(t *testing.T) {
	for name, row := range map[string]struct{ links, want string }{
		"two":   {"a b, b a", "services.a.build.additional_contexts: services need each other: a -> b -> a"},
		"three": {"a b, b c, c a", "services.a.build.additional_contexts: services need each other: a -> b -> c -> a"},
		"self":  {"a a", "services.a.build.additional_contexts: services need each other: a -> a"},
		"later": {"a b, b c, c b", "services.b.build.additional_contexts: services need each other: a -> b -> c -> b"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "services:\n"
			for _, l := range strings.Split(row.links, ", ") {
				from, to, _ := strings.Cut(l, " ")
				text += "  " + from + ": {build: {context: ., dockerfile_inline: FROM scratch, additional_contexts: {x: 'service:" + to + "'}}}\n"
			}
			_, _, err := target.Select(load(t, testkit.WriteTree(t, map[string]string{"compose.yaml": text})), target.Selection{})
			wantInputError(t, err, row.want)
		})
	}
}

func TestOrderIsStable(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"compose.yaml": linked})
	for range 20 { // maps are walked in another order each time
		if got := names(targets(t, dir)); !slices.IsSorted(got) || len(got) != 4 {
			t.Fatalf("order %v", got)
		}
	}
}

// What lies outside the project is noted, through links and in every field that reads or
// writes files; what lies in it is not.
func TestPathsOutsideTheProjectAreNoted(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{
		"app/compose.yaml": `services:
  a:
    build:
      context: ../out
      additional_contexts: {x: ./in, y: ../more, z: ./link}
      cache_from: ["type=local,src=/nowhere/from"]
      cache_to: ["type=local,dest=/nowhere/to"]
      secrets: [s]
  b: {build: {context: in, dockerfile: ../../out/Dockerfile}}
  c: {build: {context: in, dockerfile: linked}}
  d: {build: {context: ignoring}}
secrets: {s: {file: ../more/file}}
`,
		"out/Dockerfile": "FROM scratch\n", "more/file": "", "app/in/Dockerfile": "FROM scratch\n",
		"app/ignoring/Dockerfile": "FROM scratch\n",
	})
	for link, target := range map[string]string{
		"app/link": "../more", "app/in/linked": "../../more/file", "app/ignoring/.dockerignore": "../../more/file",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	wanted := allow.NewWanted(allow.Set{}, nil)
	p, err := compose.Load(t.Context(), compose.Options{Dir: filepath.Join(dir, "app"), Name: "app", Wanted: wanted})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := target.Select(p, target.Selection{Wanted: wanted}); err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, w := range wanted.Missing() {
		have = append(have, strings.ReplaceAll(w.String(), dir, "DIR"))
	}
	slices.Sort(have)
	want := []string{
		"fs.read=/nowhere/from", "fs.read=DIR/more", "fs.read=DIR/out", "fs.write=/nowhere/to",
	}
	if !slices.Equal(have, want) {
		t.Errorf("Missing() = %q, want %q", have, want)
	}
}

// A directory next to the project is the project's own in the same clone.
func TestTheCloneIsTheProject(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{
		"app/compose.yaml": "services: {a: {build: ../lib}}", "lib/Dockerfile": "FROM scratch\n", ".git/HEAD": "ref: refs/heads/main\n",
	})
	for home, want := range map[string]int{"": 0, dir: 1} {
		wanted := allow.NewWanted(allow.Set{}, nil)
		p, err := compose.Load(t.Context(), compose.Options{Dir: filepath.Join(dir, "app"), Name: "app", Home: home, Wanted: wanted})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := target.Select(p, target.Selection{Wanted: wanted}); err != nil || len(wanted.Missing()) != want {
			t.Errorf("home %q: %v, Missing() = %v, want %d", home, err, wanted.Missing(), want)
		}
	}
}

func TestSecretModesWarn(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"Dockerfile": "FROM scratch\n", "s": "x", "compose.yaml": `services:
  a: {build: {context: ., secrets: [{source: s, uid: "7", mode: 0400}]}}
secrets: {s: {file: ./s}}
`})
	_, warnings, err := target.Select(load(t, dir), target.Selection{})
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "services.a.build.secrets.s: uid, gid and mode") {
		t.Errorf("%v, warnings %q", err, warnings)
	}
}

func TestLowerCaseDockerfile(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {a: {build: .}}", "dockerfile": "FROM scratch\n"})
	if x := targets(t, dir)[0]; x.Dockerfile != filepath.Join(dir, "Dockerfile") {
		t.Errorf("Dockerfile %s", x.Dockerfile)
	}
}

func TestOCILayoutByTag(t *testing.T) {
	const digest = "sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1"
	index := `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"` + digest + `"TAG}]}`
	for name, row := range map[string]struct{ index, ref, want, refused string }{
		"tag":        {strings.Replace(index, "TAG", `,"annotations":{"org.opencontainers.image.ref.name":"v1"}`, 1), ":v1", digest, ""},
		"latest":     {strings.Replace(index, "TAG", `,"annotations":{"org.opencontainers.image.ref.name":"latest"}`, 1), "", digest, ""},
		"the only":   {strings.Replace(index, "TAG", "", 1), "", digest, ""},
		"digest":     {`{"schemaVersion":2}`, "@" + digest, digest, ""},
		"nothing":    {`{"schemaVersion":2,"manifests":[]}`, ":v1", "", `services.a.build.additional_contexts.x: DIR/layout has no image "v1"`},
		"not a JSON": {`{`, ":v1", "", `services.a.build.additional_contexts.x: DIR/layout has no image "v1"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := testkit.WriteTree(t, map[string]string{
				"layout/index.json": row.index,
				"compose.yaml":      "services: {a: {build: {context: ., dockerfile_inline: FROM x, additional_contexts: {x: 'oci-layout://./layout" + row.ref + "'}}}}",
			})
			list, _, err := target.Select(load(t, dir), target.Selection{})
			if row.refused != "" {
				wantInputError(t, err, strings.ReplaceAll(row.refused, "DIR", dir))
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c := list[0].Contexts["x"]; c.Digest != row.want || c.OCILayout != filepath.Join(dir, "layout") {
				t.Errorf("context %+v", c)
			}
		})
	}
}

// A tag that is not in the layout must not silently mean another image.
func TestOCILayoutWithAnotherTag(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{
		"layout/index.json": `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1","annotations":{"org.opencontainers.image.ref.name":"v1"}}]}`,
		"compose.yaml":      "services: {a: {build: {context: ., dockerfile_inline: FROM x, additional_contexts: {x: 'oci-layout://./layout:v2'}}}}",
	})
	_, _, err := target.Select(load(t, dir), target.Selection{})
	wantInputError(t, err, `services.a.build.additional_contexts.x: `+dir+`/layout has no image "v2"`)
}

func TestContextString(t *testing.T) {
	for want, c := range map[string]target.Context{
		"/a":                    {Dir: "/a"},
		"https://x.org/a.git":   {Remote: "https://x.org/a.git"},
		"docker-image://x":      {Image: "x"},
		"oci-layout:///l@sha:1": {OCILayout: "/l", Digest: "sha:1"},
		"service:s":             {Service: "s"},
		"":                      {},
	} {
		if c.String() != want {
			t.Errorf("%+v is %q, want %q", c, c.String(), want)
		}
	}
}
