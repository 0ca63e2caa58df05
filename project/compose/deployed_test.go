package compose_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/allow"
	"slipway/internal/testkit"
	"slipway/project/compose"
)

// deployed returns the project in a tree as it runs on ECS.
func deployed(t *testing.T, tree map[string]string) (*types.Project, error) {
	t.Helper()
	return compose.Deployed(t.Context(), load(t, testkit.WriteTree(t, tree)), nil)
}

func TestDeployedReadsEnvFiles(t *testing.T) {
	p, err := deployed(t, map[string]string{
		"compose.yaml": `services:
  web:
    image: example.org/web
    env_file: [a.env, {path: b.env, required: false}]
    environment: [A=2, UNSET]
    label_file: [web.labels]
    labels: [two=2]
`,
		"a.env": "A=1\nB=1\n", "web.labels": "one=1\ntwo=1\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	s := p.Services["web"]
	if got, want := s.Environment.ToMapping(), (types.Mapping{"A": "2", "B": "1"}); !reflect.DeepEqual(got, want) {
		t.Errorf("environment %v, want %v", got, want)
	}
	if want := (types.Labels{"one": "1", "two": "2"}); !reflect.DeepEqual(s.Labels, want) {
		t.Errorf("labels %v, want %v", s.Labels, want)
	}
}

func TestDeployedLeavesOutLocal(t *testing.T) {
	tree := map[string]string{"compose.yaml": `services:
  web:
    image: example.org/web
    env_file: missing.env
    volumes: [.:/app]
    depends_on: [db, cache]
    x-slipway: {local: [env_file, volumes]}
  cache: {image: example.org/cache}
  db: {image: example.org/db, env_file: missing.env, x-slipway: {local: true}}
`}
	original := load(t, testkit.WriteTree(t, tree))
	p, err := compose.Deployed(t.Context(), original, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.ServiceNames(); !slices.Equal(got, []string{"cache", "web"}) {
		t.Errorf("services %q, want those that are not local", got)
	}
	s := p.Services["web"]
	if got := s.GetDependencies(); len(s.Volumes)+len(s.EnvFiles) > 0 || !slices.Equal(got, []string{"cache"}) {
		t.Errorf("volumes %v, env_file %v, depends_on %q; want none, none and cache", s.Volumes, s.EnvFiles, got)
	}
	if s := original.Services["web"]; len(s.Volumes) != 1 || len(s.EnvFiles) != 1 || len(s.DependsOn) != 2 || len(original.Services) != 3 {
		t.Errorf("the project itself was changed: %+v", s)
	}
}

func TestDeployedErrors(t *testing.T) {
	for text, want := range map[string]string{
		"env_file: missing.env":                       "services.web.env_file: stat ",
		"label_file: missing.labels":                  "services.web.label_file: stat ",
		"env_file: broken.env":                        "services.web.env_file: failed to read ",
		"x-slipway: {local: [ports, port]}":           `services.web.x-slipway.local: "port" is not a key of a service`,
		"env_file: [{path: broken.env, format: odd}]": `services.web.env_file: unsupported env_file format "odd"`,
		"env_file: [{path: broken.env, format: raw}]": "services.web.env_file: failed to read ",
		"env_file: growing.env":                       "the values are larger than the limit of 1 MiB",
	} {
		_, err := deployed(t, map[string]string{
			"compose.yaml": "services: {web: {image: example.org/web, " + text + "}}\n",
			"broken.env":   "A=1\nhush hush\n",
			"growing.env":  "A=" + strings.Repeat("a", 1<<10) + "\n" + strings.Repeat("A=$A$A\n", 12),
		})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got error %v, want %s and nothing of the file", text, err, want)
		}
	}
}

// An env file outside the project is asked for, and not read.
func TestDeployedStaysInside(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{
		"project/compose.yaml": "services: {web: {image: example.org/web, env_file: ../other.env}}\n",
		"other.env":            "A=1\n",
	})
	p := load(t, filepath.Join(dir, "project"))
	wanted := allow.NewWanted(allow.Set{}, nil)
	wanted.Own(filepath.Join(dir, "project"), "")
	_, err := compose.Deployed(t.Context(), p, wanted)
	wantInputError(t, err, "services.web.env_file: "+filepath.Join(dir, "other.env")+" lies outside the project")
	missing := wanted.Missing()
	if len(missing) != 1 || missing[0].Where != "services.web.env_file" || missing[0].Kind != allow.FSRead {
		t.Errorf("asked for %+v, want the env file", missing)
	}
}
