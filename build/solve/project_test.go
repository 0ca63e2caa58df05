package solve_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/build/solve"
	"slipway/internal/fault"
)

const app = "services: {app: {image: 'example.org/app:${TAG:-none}'}}\n"

// TestLoad tells by the image of the service app which files and variables were read.
func TestLoad(t *testing.T) {
	for name, row := range map[string]struct {
		tree map[string]string
		opts solve.LoadOptions // paths below the tree
		want string            // the tag
	}{
		"compose.yaml":          {tree: map[string]string{"compose.yaml": app}, want: "none"},
		"compose.yml":           {tree: map[string]string{"compose.yml": app}, want: "none"},
		"docker-compose.yml":    {tree: map[string]string{"docker-compose.yml": app}, want: "none"},
		"docker-compose.yaml":   {tree: map[string]string{"docker-compose.yaml": app}, want: "none"},
		"parent directory":      {tree: map[string]string{"compose.yaml": app, "a/b/x": ""}, opts: solve.LoadOptions{Dir: "a/b"}, want: "none"},
		"parent's .env":         {tree: map[string]string{"compose.yaml": app, ".env": "TAG=parent", "a/b/x": ""}, opts: solve.LoadOptions{Dir: "a/b"}, want: "parent"},
		"environment":           {tree: map[string]string{"compose.yaml": app}, opts: solve.LoadOptions{Environ: []string{"TAG=env"}}, want: "env"},
		".env":                  {tree: map[string]string{"compose.yaml": app, ".env": "TAG=dot"}, want: "dot"},
		"environment over .env": {tree: map[string]string{"compose.yaml": app, ".env": "TAG=dot"}, opts: solve.LoadOptions{Environ: []string{"TAG=env"}}, want: "env"},
		"--env-file":            {tree: map[string]string{"compose.yaml": app, ".env": "TAG=dot", "other.env": "TAG=other"}, opts: solve.LoadOptions{EnvFiles: []string{"other.env"}}, want: "other"},
		"--file": {tree: map[string]string{"compose.yaml": app, "other.yaml": strings.ReplaceAll(app, "none", "other")},
			opts: solve.LoadOptions{Files: []string{"other.yaml"}}, want: "other"},
		"--file twice": {tree: map[string]string{"one.yaml": app, "two.yaml": "services: {app: {image: 'example.org/app:two'}}"},
			opts: solve.LoadOptions{Files: []string{"one.yaml", "two.yaml"}}, want: "two"},
		"override file": {tree: map[string]string{"compose.yaml": app, "compose.override.yaml": "services: {app: {image: 'example.org/app:over'}}"}, want: "over"},
		"COMPOSE_FILE":  {tree: map[string]string{"compose.yaml": app, "other.yaml": strings.ReplaceAll(app, "none", "other"), ".env": "COMPOSE_FILE=other.yaml"}, want: "other"},
		"profile": {tree: map[string]string{"compose.yaml": "services: {app: {image: 'example.org/app:p', profiles: [p]}}"},
			opts: solve.LoadOptions{Profiles: []string{"p"}}, want: "p"},
		"COMPOSE_PROFILES": {tree: map[string]string{"compose.yaml": "services: {app: {image: 'example.org/app:p', profiles: [p]}}"},
			opts: solve.LoadOptions{Environ: []string{"COMPOSE_PROFILES=p"}}, want: "p"},
		"extends": {tree: map[string]string{"compose.yaml": "services: {app: {extends: {file: base/b.yaml, service: base}}}",
			"base/b.yaml": "services: {base: {image: 'example.org/app:extended'}}"}, want: "extended"},
		"include":          {tree: map[string]string{"compose.yaml": "include: [sub/c.yaml]\n", "sub/c.yaml": app, "sub/.env": "TAG=sub"}, want: "sub"},
		"version 3.8":      {tree: map[string]string{"compose.yaml": "version: '3.8'\n" + app}, want: "none"},
		"missing env_file": {tree: map[string]string{"compose.yaml": "services: {app: {image: 'example.org/app:none', env_file: [no.env], label_file: [no.labels]}}"}, want: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := files(t, row.tree)
			p, err := solve.Load(t.Context(), below(dir, row.opts))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Services["app"].Image; got != "example.org/app:"+row.want {
				t.Errorf("image %q", got)
			}
		})
	}
}

// below puts the paths of o below dir; without files, dir is the project directory.
func below(dir string, o solve.LoadOptions) solve.LoadOptions {
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
	dir := files(t, map[string]string{"My Shop/compose.yaml": app, "named/compose.yaml": "name: given\n" + app})
	for _, row := range []struct{ sub, name, want string }{
		{"My Shop", "", "myshop"}, {"named", "", "given"}, {"named", "flag", "flag"},
	} {
		p, err := solve.Load(t.Context(), solve.LoadOptions{Dir: filepath.Join(dir, row.sub), Name: row.name})
		if err != nil || p.Name != row.want || p.WorkingDir != filepath.Join(dir, row.sub) {
			t.Errorf("%+v: %v, %v", row, p, err)
		}
	}
}

func TestProfilesOff(t *testing.T) {
	dir := files(t, map[string]string{"compose.yaml": "services: {app: {image: a, profiles: [p]}, b: {build: {context: ., dockerfile_inline: FROM scratch}}}"})
	if got := names(targets(t, dir)); !slices.Equal(got, []string{"b"}) {
		t.Errorf("targets %v", got)
	}
}

// A compose file of a parent directory is read as if slipway ran there.
func TestPathsInAParentsFile(t *testing.T) {
	dir := files(t, map[string]string{"compose.yaml": "services: {a: {build: ./ctx}}", "ctx/Dockerfile": "FROM scratch\n", "deep/er/x": ""})
	list := targets(t, filepath.Join(dir, "deep", "er"))
	if got := list[0].Context.Dir; got != filepath.Join(dir, "ctx") {
		t.Errorf("context %s", got)
	}
}

// Contexts of included and extended files are relative to those files.
func TestPathsInIncludedFiles(t *testing.T) {
	dir := files(t, map[string]string{
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
		dir := files(t, map[string]string{"My App/" + file: "FROM scratch\n"})
		at := filepath.Join(dir, "My App")
		p, err := solve.Load(t.Context(), solve.LoadOptions{Dir: at})
		if err != nil {
			t.Fatal(err)
		}
		list, warnings, err := solve.Targets(p, solve.Selection{})
		if err != nil || len(warnings) != 0 || p.Name != "myapp" {
			t.Fatalf("%v, %q, project %s", err, warnings, p.Name)
		}
		if x := list[0]; len(list) != 1 || x.Service != "api" || x.Context.Dir != at || x.Dockerfile != filepath.Join(at, "Dockerfile") {
			t.Errorf("targets %+v", list)
		}
		p, err = solve.Load(t.Context(), solve.LoadOptions{Dir: at, Lone: "web", Name: "given"})
		if err != nil || p.Name != "given" || !slices.Equal(slices.Collect(maps.Keys(p.Services)), []string{"web"}) {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

func TestNothingThere(t *testing.T) {
	dir := t.TempDir()
	_, err := solve.Load(t.Context(), solve.LoadOptions{Dir: dir})
	wantInputError(t, err, dir+": no compose file and no Dockerfile here")
}

func TestDirectoryWithoutAName(t *testing.T) {
	dir := files(t, map[string]string{"!!!/Dockerfile": "FROM scratch\n"})
	_, err := solve.Load(t.Context(), solve.LoadOptions{Dir: filepath.Join(dir, "!!!")})
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
			dir := files(t, map[string]string{"compose.yaml": row.text, "inc.yaml": "a: [", "key.yaml": "services: {b: {build: {context: ., wibble: 1}}}"})
			_, err := solve.Load(t.Context(), solve.LoadOptions{Dir: dir})
			wantLoadError(t, dir, err, row.want)
		})
	}
}

func wantLoadError(t *testing.T, dir string, err error, want []string) {
	t.Helper()
	var input *fault.InputError
	if !asInput(err, &input) || input.Hint() == "" {
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
	dir := files(t, map[string]string{"a.yaml": app, "broken.yaml": "services: [", "field.yaml": "services: {app: {build: {context: ., no_cache: maybe}}}"})
	_, err := solve.Load(t.Context(), below(dir, solve.LoadOptions{Files: []string{"a.yaml", "broken.yaml"}}))
	wantLoadError(t, dir, err, []string{"DIR/broken.yaml: yaml"})
	if strings.Contains(err.Error(), "a.yaml") {
		t.Errorf("%v blames the wrong file", err)
	}
	_, err = solve.Load(t.Context(), below(dir, solve.LoadOptions{Files: []string{"a.yaml", "field.yaml"}}))
	wantLoadError(t, dir, err, []string{"DIR/a.yaml, DIR/field.yaml: ", "build.no_cache"})
}

func TestLoadErrorsOfFileNames(t *testing.T) {
	dir := files(t, map[string]string{"compose.yaml": app})
	for name, o := range map[string]solve.LoadOptions{
		"no file":     {Files: []string{"none.yaml"}},
		"no env file": {EnvFiles: []string{"none.env"}},
		"variable":    {Environ: []string{"COMPOSE_FILE=compose.yaml:none.yaml"}},
	} {
		_, err := solve.Load(t.Context(), below(dir, o))
		wantLoadError(t, dir, err, []string{"DIR/none."})
		if t.Failed() {
			t.Fatal(name)
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
	p := load(t, files(t, map[string]string{"compose.yaml": app}))
	if got := p.Services["app"].Image; got != "example.org/app:none" {
		t.Errorf("image %s", got)
	}
}
