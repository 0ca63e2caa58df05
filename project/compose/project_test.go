package compose_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/fault"
	"slipway/internal/testkit"
	"slipway/project/compose"
)

const app = "services: {app: {image: 'example.org/app:${TAG:-none}'}}\n"

// TestLoad tells by the image of the service app which files and variables were read.
func TestLoad(t *testing.T) {
	for name, row := range map[string]struct {
		tree map[string]string
		opts compose.Options // paths below the tree
		want string          // the tag
	}{
		"compose.yaml":          {tree: map[string]string{"compose.yaml": app}, want: "none"},
		"compose.yml":           {tree: map[string]string{"compose.yml": app}, want: "none"},
		"docker-compose.yml":    {tree: map[string]string{"docker-compose.yml": app}, want: "none"},
		"docker-compose.yaml":   {tree: map[string]string{"docker-compose.yaml": app}, want: "none"},
		"parent directory":      {tree: map[string]string{"compose.yaml": app, "a/b/x": ""}, opts: compose.Options{Dir: "a/b"}, want: "none"},
		"parent's .env":         {tree: map[string]string{"compose.yaml": app, ".env": "TAG=parent", "a/b/x": ""}, opts: compose.Options{Dir: "a/b"}, want: "parent"},
		"environment":           {tree: map[string]string{"compose.yaml": app}, opts: compose.Options{Environ: []string{"TAG=env"}}, want: "env"},
		".env":                  {tree: map[string]string{"compose.yaml": app, ".env": "TAG=dot"}, want: "dot"},
		"environment over .env": {tree: map[string]string{"compose.yaml": app, ".env": "TAG=dot"}, opts: compose.Options{Environ: []string{"TAG=env"}}, want: "env"},
		"--env-file":            {tree: map[string]string{"compose.yaml": app, ".env": "TAG=dot", "other.env": "TAG=other"}, opts: compose.Options{EnvFiles: []string{"other.env"}}, want: "other"},
		"--file": {tree: map[string]string{"compose.yaml": app, "other.yaml": strings.ReplaceAll(app, "none", "other")},
			opts: compose.Options{Files: []string{"other.yaml"}}, want: "other"},
		"--file twice": {tree: map[string]string{"one.yaml": app, "two.yaml": "services: {app: {image: 'example.org/app:two'}}"},
			opts: compose.Options{Files: []string{"one.yaml", "two.yaml"}}, want: "two"},
		"override file": {tree: map[string]string{"compose.yaml": app, "compose.override.yaml": "services: {app: {image: 'example.org/app:over'}}"}, want: "over"},
		"COMPOSE_FILE":  {tree: map[string]string{"compose.yaml": app, "other.yaml": strings.ReplaceAll(app, "none", "other"), ".env": "COMPOSE_FILE=other.yaml"}, want: "other"},
		"profile": {tree: map[string]string{"compose.yaml": "services: {app: {image: 'example.org/app:p', profiles: [p]}}"},
			opts: compose.Options{Profiles: []string{"p"}}, want: "p"},
		"COMPOSE_PROFILES": {tree: map[string]string{"compose.yaml": "services: {app: {image: 'example.org/app:p', profiles: [p]}}"},
			opts: compose.Options{Environ: []string{"COMPOSE_PROFILES=p"}}, want: "p"},
		"extends": {tree: map[string]string{"compose.yaml": "services: {app: {extends: {file: base/b.yaml, service: base}}}",
			"base/b.yaml": "services: {base: {image: 'example.org/app:extended'}}"}, want: "extended"},
		"include":          {tree: map[string]string{"compose.yaml": "include: [sub/c.yaml]\n", "sub/c.yaml": app, "sub/.env": "TAG=sub"}, want: "sub"},
		"version 3.8":      {tree: map[string]string{"compose.yaml": "version: '3.8'\n" + app}, want: "none"},
		"missing env_file": {tree: map[string]string{"compose.yaml": "services: {app: {image: 'example.org/app:none', env_file: [no.env], label_file: [no.labels]}}"}, want: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := testkit.WriteTree(t, row.tree)
			p, err := compose.Load(t.Context(), below(dir, row.opts))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Services["app"].Image; got != "example.org/app:"+row.want {
				t.Errorf("image %q, want %v", got, "example.org/app:"+row.want)
			}
		})
	}
}

// below puts the paths of o below dir; without files, dir is the project directory.
func below(dir string, o compose.Options) compose.Options {
	for i, f := range o.Files {
		o.Files[i] = filepath.Join(dir, f)
	}
	for i, f := range o.EnvFiles {
		o.EnvFiles[i] = filepath.Join(dir, f)
	}
	if len(o.Files) == 0 {
		o.Dir = filepath.Join(dir, o.Dir)
	}
	return o
}

func TestLoadNames(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"My Shop/compose.yaml": app, "named/compose.yaml": "name: given\n" + app})
	for _, row := range []struct{ sub, name, want string }{
		{"My Shop", "", "myshop"}, {"named", "", "given"}, {"named", "flag", "flag"},
	} {
		p, err := compose.Load(t.Context(), compose.Options{Dir: filepath.Join(dir, row.sub), Name: row.name})
		if err != nil || p.Name != row.want || p.WorkingDir != filepath.Join(dir, row.sub) {
			t.Errorf("Load in %s with the name %q = %+v, %v, want %s", row.sub, row.name, p, err, row.want)
		}
	}
}

func TestNothingThere(t *testing.T) {
	dir := t.TempDir()
	_, err := compose.Load(t.Context(), compose.Options{Dir: dir})
	wantInputError(t, err, dir+": no compose file and no Dockerfile here")
}

func TestDirectoryWithoutAName(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"!!!/Dockerfile": "FROM scratch\n"})
	_, err := compose.Load(t.Context(), compose.Options{Dir: filepath.Join(dir, "!!!")})
	wantInputError(t, err, filepath.Join(dir, "!!!")+": the directory's name makes no project name")
}

// Each error names the file, and the line or the field where the loader gives it.
func TestLoadErrors(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want []string
	}{
		"broken YAML":         {"services:\n  a:\n    build: [\n  b: {\n", []string{"DIR/compose.yaml: ", "line 4"}},
		"tab":                 {"services:\n\ta: 1\n", []string{"DIR/compose.yaml: ", "line 2"}},
		"key twice":           {"services:\n  a:\n    image: x\n    image: y\n", []string{"DIR/compose.yaml: ", "line 4", `"image"`}},
		"a list":              {"- a\n", []string{"DIR/compose.yaml: "}},
		"empty":               {"", []string{"DIR/compose.yaml: ", "empty"}},
		"unknown build key":   {"services: {a: {build: {context: ., wibble: 1}}}", []string{"DIR/compose.yaml: ", "services.a.build", "wibble"}},
		"unknown top key":     {"wibble: 1\n" + app, []string{"DIR/compose.yaml: ", "wibble"}},
		"wrong type":          {"services: {a: {build: {context: 5}}}", []string{"DIR/compose.yaml: ", "services.a.build.context"}},
		"wrong boolean":       {"services: {a: {build: {context: ., no_cache: maybe}}}", []string{"DIR/compose.yaml: ", "build.no_cache"}},
		"wrong size":          {"services: {a: {build: {context: ., shm_size: much}}}", []string{"DIR/compose.yaml: ", "build.shm_size"}},
		"required variable":   {"services: {a: {build: '${WHERE:?set it}'}}", []string{"DIR/compose.yaml: ", "services.a.build", "WHERE", "set it"}},
		"broken variable":     {"services: {a: {build: '${WHERE'}}", []string{"DIR/compose.yaml: ", "services.a.build"}},
		"two Dockerfiles":     {"services: {a: {build: {context: ., dockerfile: X, dockerfile_inline: FROM scratch}}}", []string{"DIR/compose.yaml: ", `"a"`, "dockerfile_inline"}},
		"unknown secret":      {"services: {a: {build: {context: ., secrets: [q]}}}", []string{"DIR/compose.yaml: ", `"a"`, "secret q"}},
		"unknown link":        {"services: {a: {build: {context: ., additional_contexts: {x: 'service:q'}}}}", []string{"DIR/compose.yaml: ", `"a"`, `"q"`}},
		"missing include":     {"include: [none.yaml]\n" + app, []string{"DIR/compose.yaml: ", "DIR/none.yaml"}},
		"missing extension":   {"services: {a: {extends: {file: none.yaml, service: b}}}", []string{"DIR/compose.yaml: ", "DIR/none.yaml"}},
		"remote include":      {"include: ['https://example.org/c.yaml']\n" + app, []string{"https://example.org/c.yaml: compose files are not fetched"}},
		"OCI include":         {"include: ['oci://example.org/c']\n" + app, []string{"oci://example.org/c: compose files are not fetched"}},
		"git include":         {"include: ['git@example.org:c.git']\n" + app, []string{"git@example.org:c.git: compose files are not fetched"}},
		"remote extension":    {"services: {a: {extends: {file: 'https://example.org/c.yaml', service: b}}}", []string{"https://example.org/c.yaml: compose files are not fetched"}},
		"neither image":       {"services: {a: {command: x}}", []string{"DIR/compose.yaml: ", `"a"`}},
		"broken include":      {"include: [inc.yaml]\n" + app, []string{"DIR/inc.yaml: yaml", "line 1"}},
		"unknown key include": {"include: [key.yaml]\n" + app, []string{"DIR/", "services.b.build", "wibble"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := testkit.WriteTree(t, map[string]string{"compose.yaml": row.text, "inc.yaml": "a: [", "key.yaml": "services: {b: {build: {context: ., wibble: 1}}}"})
			_, err := compose.Load(t.Context(), compose.Options{Dir: dir})
			wantLoadError(t, dir, err, row.want)
		})
	}
}

func wantLoadError(t *testing.T, dir string, err error, want []string) {
	t.Helper()
	var input *fault.InputError
	if !errors.As(err, &input) || input.Hint() == "" && input.Err == nil {
		t.Fatalf("want an *InputError with a hint, have %v", err)
	}
	text := strings.ReplaceAll(err.Error(), dir, "DIR")
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q lacks %q", text, w)
		}
	}
}

// With several files, a YAML error names the broken one, any other error all of them.
func TestLoadErrorsInSeveralFiles(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"a.yaml": app, "broken.yaml": "services: [", "field.yaml": "services: {app: {build: {context: ., no_cache: maybe}}}"})
	_, err := compose.Load(t.Context(), below(dir, compose.Options{Files: []string{"a.yaml", "broken.yaml"}}))
	wantLoadError(t, dir, err, []string{"DIR/broken.yaml: yaml"})
	if strings.Contains(err.Error(), "a.yaml") {
		t.Errorf("%v blames the wrong file", err)
	}
	_, err = compose.Load(t.Context(), below(dir, compose.Options{Files: []string{"a.yaml", "field.yaml"}}))
	wantLoadError(t, dir, err, []string{"DIR/a.yaml, DIR/field.yaml: ", "build.no_cache"})
}

func TestLoadErrorsOfFileNames(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"compose.yaml": app})
	for name, o := range map[string]compose.Options{
		"no file":     {Files: []string{"none.yaml"}},
		"no env file": {EnvFiles: []string{"none.env"}},
		"variable":    {Environ: []string{"COMPOSE_FILE=compose.yaml:none.yaml"}},
	} {
		_, err := compose.Load(t.Context(), below(dir, o))
		wantLoadError(t, dir, err, []string{"DIR/none."})
		if t.Failed() {
			t.Fatalf("%s failed", name)
		}
	}
}

func TestInputErrorText(t *testing.T) {
	for want, e := range map[string]*fault.InputError{
		"a: b":                      {Where: "a", Problem: "b"},
		"b":                         {Problem: "b"},
		"a: b: file does not exist": {Where: "a", Problem: "b", Err: os.ErrNotExist},
		"a: file does not exist":    {Where: "a", Err: os.ErrNotExist},
	} {
		if e.Error() != want || e.Unwrap() != e.Err {
			t.Errorf("%q, want %q", e.Error(), want)
		}
	}
}

// Interpolation sees the environment it is given, not this process's.
func TestEnvironmentIsTheGivenOne(t *testing.T) {
	t.Setenv("TAG", "process")
	p := load(t, testkit.WriteTree(t, map[string]string{"compose.yaml": app}))
	if got := p.Services["app"].Image; got != "example.org/app:none" {
		t.Errorf("image %s, want example.org/app:none", got)
	}
}
