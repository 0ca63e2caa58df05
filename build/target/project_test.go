package target_test

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"slipway/build/target"
	"slipway/internal/testkit"
	"slipway/project/compose"
)

func TestProfilesOff(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {app: {image: a, profiles: [p]}, b: {build: {context: ., dockerfile_inline: FROM scratch}}}"})
	if got := names(targets(t, dir)); !slices.Equal(got, []string{"b"}) {
		t.Errorf("targets %v, want b", got)
	}
}

// A compose file of a parent directory is read as if slipway ran there.
func TestPathsInAParentsFile(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {a: {build: ./ctx}}", "ctx/Dockerfile": "FROM scratch\n", "deep/er/x": ""})
	list := targets(t, filepath.Join(dir, "deep", "er"))
	if got := list[0].Context.Dir; got != filepath.Join(dir, "ctx") {
		t.Errorf("context %s", got)
	}
}

// Contexts of included and extended files are relative to those files.
func TestPathsInIncludedFiles(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{
		"compose.yaml":       "include: [sub/compose.yaml]\nservices: {ext: {extends: {file: base/b.yaml, service: base}}}",
		"sub/compose.yaml":   "services: {inc: {build: ./ctx}}",
		"sub/ctx/Dockerfile": "FROM scratch\n", "base/b.yaml": "services: {base: {build: ./ctx}}", "base/ctx/Dockerfile": "FROM scratch\n",
	})
	list := targets(t, dir)
	if got := byService(t, list, "inc").Context.Dir; got != filepath.Join(dir, "sub", "ctx") {
		t.Errorf("included context %s", got)
	}
	if got := byService(t, list, "ext").Context.Dir; got != filepath.Join(dir, "base", "ctx") {
		t.Errorf("extended context %s", got)
	}
}

func TestLoneDockerfile(t *testing.T) {
	for _, file := range []string{"Dockerfile", "dockerfile"} {
		dir := testkit.WriteTree(t, map[string]string{"My App/" + file: "FROM scratch\n"})
		at := filepath.Join(dir, "My App")
		p, err := compose.Load(t.Context(), compose.Options{Dir: at})
		if err != nil {
			t.Fatal(err)
		}
		list, warnings, err := target.Select(p, target.Selection{})
		if err != nil || len(warnings) != 0 || p.Name != "myapp" {
			t.Fatalf("%v, %q, project %s", err, warnings, p.Name)
		}
		if x := list[0]; len(list) != 1 || x.Service != "api" || x.Context.Dir != at || x.Dockerfile != filepath.Join(at, "Dockerfile") {
			t.Errorf("targets %+v", list)
		}
		p, err = compose.Load(t.Context(), compose.Options{Dir: at, Lone: "web", Name: "given"})
		if err != nil || p.Name != "given" || !slices.Equal(slices.Collect(maps.Keys(p.Services)), []string{"web"}) {
			t.Errorf("Load of a lone Dockerfile = %+v, %v, want the project given with the service web", p, err)
		}
	}
}

func TestServiceSettingsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"{repo: x}":            "services.a.x-slipway.repo: unknown key",
		"{repository: 1}":      "services.a.x-slipway.repository: want a string, have a number",
		"{container: [a]}":     "services.a.x-slipway.container: want a string, have a list",
		"{ecs: {name: x}}":     "services.a.x-slipway.ecs.name: unknown key",
		"{ecs: {service: {}}}": "services.a.x-slipway.ecs.service: want a string, have a mapping",
	} {
		p := load(t, testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {a: {build: {context: ., dockerfile_inline: FROM scratch}, x-slipway: " + text + "}}"}))
		_, _, err := target.Select(p, target.Selection{})
		wantInputError(t, err, want)
		if _, err := target.Unselected(p, nil); err == nil {
			t.Errorf("Unselected takes %s, want an error", text)
		}
	}
}

func TestContainerName(t *testing.T) {
	list := targets(t, testkit.WriteTree(t, map[string]string{"compose.yaml": `services:
  plain: {build: {context: ., dockerfile_inline: FROM scratch}}
  named: {build: {context: ., dockerfile_inline: FROM scratch}, container_name: other}
  mapped: {build: {context: ., dockerfile_inline: FROM scratch}, container_name: other2, x-slipway: {container: third}}
`}))
	for service, want := range map[string]string{"plain": "plain", "named": "other", "mapped": "third"} {
		if got := byService(t, list, service).Container; got != want {
			t.Errorf("%s is container %q, want %v", service, got, want)
		}
	}
}
