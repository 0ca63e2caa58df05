package compose_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/fault"
	"slipway/internal/testkit"
	"slipway/project/compose"
)

// extension parses YAML the way a project file is, and returns the project.
func extension(t *testing.T, text string) *types.Project {
	t.Helper()
	return load(t, testkit.WriteTree(t, map[string]string{"compose.yaml": text}))
}

func TestProjectSettings(t *testing.T) {
	p := extension(t, `x-slipway:
  ecs: {cluster: shop, service: web}
  artifact: s3://bucket/x.zip
  engine: {cache: registry, address: "unix:///run/b.sock", compression: zstd, reproducible: true, mirrors: {docker.io: mirror.example/hub}}
services: {a: {image: example.org/a}}
`)
	got, err := compose.ReadSettings(p)
	want := compose.Settings{ECS: compose.ECS{Cluster: "shop", Service: "web"}, Artifact: "s3://bucket/x.zip", Cache: "registry", Engine: "unix:///run/b.sock", Compression: "zstd", Reproducible: true, Mirrors: map[string]string{"docker.io": "mirror.example/hub"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	got, err = compose.ReadSettings(&types.Project{})
	if err != nil || !reflect.DeepEqual(got, compose.Settings{}) {
		t.Errorf("without the key: %+v, %v", got, err)
	}
}

func TestProjectSettingsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[a]":                                   "x-slipway: want a mapping, have a list",
		"text":                                  "x-slipway: want a mapping, have a string",
		"{artefact: x}":                         "x-slipway.artefact: unknown key",
		"{artifact: [x]}":                       "x-slipway.artifact: want a string, have a list",
		"{artifact: 7}":                         "x-slipway.artifact: want a string, have a number",
		"{artifact: 7.5}":                       "x-slipway.artifact: want a string, have a number",
		"{artifact: true}":                      "x-slipway.artifact: want a string, have a boolean",
		"{artifact: {a: b}}":                    "x-slipway.artifact: want a string, have a mapping",
		"{ecs: shop}":                           "x-slipway.ecs: want a mapping, have a string",
		"{ecs: {Cluster: shop}}":                "x-slipway.ecs.Cluster: unknown key",
		"{ecs: {cluster: 1}}":                   "x-slipway.ecs.cluster: want a string, have a number",
		"{engine: auto}":                        "x-slipway.engine: want a mapping, have a string",
		"{engine: {cache: true}}":               "x-slipway.engine.cache: want a string, have a boolean",
		"{engine: {reproducible: 1}}":           "x-slipway.engine.reproducible: want a boolean, have a number",
		"{engine: {mirrors: x}}":                "x-slipway.engine.mirrors: want a mapping, have a string",
		"{engine: {mirrors: {b.example: [1]}}}": "x-slipway.engine.mirrors.b.example: want a string, have a list",
		"{b: 1, a: 2}":                          "x-slipway.a: unknown key",
		"{task: true}":                          "x-slipway.task: want a mapping, have a boolean",
		"{task: {stacks: a}}":                   "x-slipway.task.stacks: unknown key",
		"{task: {stack: 1a}}":                   `x-slipway.task.stack: "1a" is not the name of a CloudFormation stack`,
		"{task: {cpu: '512'}}":                  "x-slipway.task.cpu: want a whole number, have a string",
		"{task: {cpu: 0}}":                      "x-slipway.task.cpu: 0 is not a size of a task in CPU units",
		"{task: {cpu: 32769}}":                  "x-slipway.task.cpu: 32769 is not a size of a task in CPU units",
		"{task: {entry: 1}}":                    "x-slipway.task.entry: want a string, have a number",
		"{task: {before: [a, 1]}}":              "x-slipway.task.before[1]: want a string, have a number",
		"{task: {before: [a, a]}}":              `x-slipway.task.before[1]: "a" is empty or there twice`,
	} {
		_, err := compose.ReadSettings(extension(t, "x-slipway: "+text+"\nservices: {a: {image: example.org/a}}\n"))
		wantInputError(t, err, want)
	}
}

// What the reader takes, it takes whole: every text of the input is in the settings.
func FuzzServiceSettings(f *testing.F) {
	for _, s := range []string{`{}`, `null`, `{"repository":"a","container":"b","ecs":{"cluster":"c","service":"d"}}`, `{"ecs":[]}`, `{"local":["volumes"],"keep":["DD_*"],"outputs":{"A":"B"}}`, `{"keep":"DD_*","local":true}`, `{"ecs":{"x":1}}`, `[1]`, `"a"`, `{"container":1e9}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return // no value that a compose file could hold
		}
		s := types.ServiceConfig{Name: "a", Extensions: types.Extensions{compose.ExtensionKey: v}}
		got, err := compose.ReadServiceSettings(s)
		var input *fault.InputError
		if err != nil {
			if !errors.As(err, &input) || !strings.HasPrefix(err.Error(), "services.a.x-slipway") || input.Hint() == "" {
				t.Errorf("%s: got error %v, want an InputError of x-slipway with a hint", text, err)
			}
			return
		}
		want := texts(v)
		parts := []string{got.Repository, got.Container, got.ECS.Cluster, got.ECS.Service}
		for _, list := range [][]string{got.Local.Keys, got.Keep, slices.Collect(maps.Values(got.Outputs))} {
			parts = append(parts, list...)
		}
		for _, part := range parts {
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
		case []any:
			for _, x := range v {
				walk(x)
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
