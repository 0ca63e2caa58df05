package solve_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/solve"
	"slipway/internal/fault"
)

// extension parses YAML the way a project file is, and returns the project.
func extension(t *testing.T, text string) *types.Project {
	t.Helper()
	return load(t, files(t, map[string]string{"compose.yaml": text}))
}

func TestProjectSettings(t *testing.T) {
	p := extension(t, `x-slipway:
  ecs: {cluster: shop, service: web}
  artifact: s3://bucket/x.zip
  engine: {cache: registry, address: "unix:///run/b.sock"}
services: {a: {image: example.org/a}}
`)
	got, err := solve.ProjectSettings(p)
	want := solve.Settings{ECS: solve.ECS{Cluster: "shop", Service: "web"}, Artifact: "s3://bucket/x.zip", Cache: "registry", Engine: "unix:///run/b.sock"}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = solve.ProjectSettings(&types.Project{})
	if err != nil || got != (solve.Settings{}) {
		t.Errorf("without the key: %+v, %v", got, err)
	}
}

func TestProjectSettingsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[a]":                     "x-slipway: want a mapping, have a list",
		"text":                    "x-slipway: want a mapping, have a string",
		"{artefact: x}":           "x-slipway.artefact: unknown key",
		"{artifact: [x]}":         "x-slipway.artifact: want a string, have a list",
		"{artifact: 7}":           "x-slipway.artifact: want a string, have a number",
		"{artifact: 7.5}":         "x-slipway.artifact: want a string, have a number",
		"{artifact: true}":        "x-slipway.artifact: want a string, have a boolean",
		"{artifact: {a: b}}":      "x-slipway.artifact: want a string, have a mapping",
		"{ecs: shop}":             "x-slipway.ecs: want a mapping, have a string",
		"{ecs: {Cluster: shop}}":  "x-slipway.ecs.Cluster: unknown key",
		"{ecs: {cluster: 1}}":     "x-slipway.ecs.cluster: want a string, have a number",
		"{engine: auto}":          "x-slipway.engine: want a mapping, have a string",
		"{engine: {cache: true}}": "x-slipway.engine.cache: want a string, have a boolean",
		"{b: 1, a: 2}":            "x-slipway.a: unknown key",
	} {
		_, err := solve.ProjectSettings(extension(t, "x-slipway: "+text+"\nservices: {a: {image: example.org/a}}\n"))
		wantInputError(t, err, want)
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
		p := extension(t, "services: {a: {build: {context: ., dockerfile_inline: FROM scratch}, x-slipway: "+text+"}}")
		_, _, err := solve.Targets(p, solve.Selection{})
		wantInputError(t, err, want)
		if _, err := solve.Unselected(p, nil); err == nil {
			t.Errorf("Others takes %s", text)
		}
	}
}

func TestContainerName(t *testing.T) {
	list := targets(t, files(t, map[string]string{"compose.yaml": `services:
  plain: {build: {context: ., dockerfile_inline: FROM scratch}}
  named: {build: {context: ., dockerfile_inline: FROM scratch}, container_name: other}
  mapped: {build: {context: ., dockerfile_inline: FROM scratch}, container_name: other2, x-slipway: {container: third}}
`}))
	for service, want := range map[string]string{"plain": "plain", "named": "other", "mapped": "third"} {
		if got := byService(t, list, service).Container; got != want {
			t.Errorf("%s is container %q", service, got)
		}
	}
}

// What the reader takes, it takes whole: every text of the input is in the settings.
func FuzzServiceSettings(f *testing.F) {
	for _, s := range []string{`{}`, `null`, `{"repository":"a","container":"b","ecs":{"cluster":"c","service":"d"}}`, `{"ecs":[]}`, `{"ecs":{"x":1}}`, `[1]`, `"a"`, `{"container":1e9}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return // no value that a compose file could hold
		}
		s := types.ServiceConfig{Name: "a", Extensions: types.Extensions{solve.ExtensionKey: v}}
		got, err := solve.ReadServiceSettings(s)
		var input *fault.InputError
		if err != nil {
			if !errors.As(err, &input) || !strings.HasPrefix(err.Error(), "services.a.x-slipway") || input.Hint() == "" {
				t.Errorf("%s: %v", text, err)
			}
			return
		}
		want := texts(v)
		for _, part := range []string{got.Repository, got.Container, got.ECS.Cluster, got.ECS.Service} {
			if part != "" {
				want[part]--
			}
		}
		for part, n := range want {
			if n != 0 {
				t.Errorf("%s: %q lost or invented: %+v", text, part, got)
			}
		}
	})
}

// texts counts the non-empty strings among a value's leaves.
func texts(v any) map[string]int {
	out := map[string]int{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			if v != "" {
				out[v]++
			}
		case map[string]any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(v)
	return out
}
