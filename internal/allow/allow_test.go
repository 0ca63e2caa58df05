package allow_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/internal/allow"
)

func parse(t *testing.T, values ...string) allow.Set {
	t.Helper()
	s, err := allow.Parse("/project", values)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseRefusesWhatItDoesNotKnow(t *testing.T) {
	for value, want := range map[string]string{
		"":               `"": unknown entitlement`,
		"nonsense":       `"nonsense": unknown entitlement`,
		"network":        `"network": unknown entitlement`,
		"ENV=X":          `"ENV=X": unknown entitlement`,
		"network.host=x": `"network.host=x": takes no value`,
		"fs.read":        `"fs.read": write fs.read=PATH`,
		"env=":           `"env=": write env=NAME`,
		"engine=":        `"engine=": write engine=ADDRESS`,
		"s3":             `"s3": write s3=URL`,
		"s3=bucket":      `"s3=bucket": write s3=URL`,
		"ecs=shop":       `"ecs=shop": write ecs=CLUSTER/SERVICE`,
		"env=A=B":        `"env=A=B": write env=NAME`,
	} {
		if _, err := allow.Parse("/", []string{"ssh", value}); err == nil || err.Error() != want {
			t.Errorf("Parse(%q): error %v, want %s", value, err, want)
		}
	}
}

func TestSetAllows(t *testing.T) {
	arn := allow.RepositoryARN("123456789012", "eu-west-1", "shop/web")
	for _, row := range []struct {
		value string
		yes   []allow.Want
		no    []allow.Want
	}{
		{"network.host", []allow.Want{{Kind: allow.NetworkHost}}, []allow.Want{{Kind: allow.SecurityInsecure}}},
		{"env=A", []allow.Want{{Kind: allow.Env, Value: "A"}}, []allow.Want{{Kind: allow.Env, Value: "AB"}}},
		{"engine", []allow.Want{{Kind: allow.Engine, Value: "tcp://a:1"}}, nil},
		{"engine=tcp://a:1", []allow.Want{{Kind: allow.Engine, Value: "tcp://a:1"}}, []allow.Want{{Kind: allow.Engine, Value: "tcp://a:12"}}},
		{"s3=s3://b/p", []allow.Want{{Kind: allow.S3, Value: "s3://b/p"}, {Kind: allow.S3, Value: "s3://b/p/q"}}, []allow.Want{{Kind: allow.S3, Value: "s3://b/pq"}, {Kind: allow.S3, Value: "s3://b"}, {Kind: allow.S3, Value: "https://evil.example/b/p"}}},
		{"s3=s3://b/", []allow.Want{{Kind: allow.S3, Value: "s3://b/p"}}, []allow.Want{{Kind: allow.S3, Value: "s3://bb/p"}}},
		{"repository=shop/*", []allow.Want{{Kind: allow.Repository, Value: "shop/a/b"}}, []allow.Want{{Kind: allow.Repository, Value: "shopping/a"}, {Kind: allow.Repository, Value: "a/shop/b"}, {Kind: allow.Repository, Value: arn}}},
		{"repository=shop.a", nil, []allow.Want{{Kind: allow.Repository, Value: "shopxa"}}},
		{"repository=123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/*", []allow.Want{{Kind: allow.Repository, Value: arn}}, []allow.Want{{Kind: allow.Repository, Value: "shop/web"}}},
		{"repository=arn:aws-iso:ecr:us-iso-east-1:123456789012:repository/shop/*", []allow.Want{{Kind: allow.Repository, Value: allow.RepositoryARN("123456789012", "us-iso-east-1", "shop/web")}}, nil},
		{"fs.read=dir", []allow.Want{{Kind: allow.FSRead, Value: "/project/dir"}, {Kind: allow.FSRead, Value: "/project/dir/x"}}, []allow.Want{{Kind: allow.FSRead, Value: "/project/dirx"}, {Kind: allow.FSRead, Value: "/project"}, {Kind: allow.FSWrite, Value: "/project/dir"}, {Kind: allow.FSRead, Value: "/project/dir/../x"}}},
		{"fs.write=*", []allow.Want{{Kind: allow.FSWrite, Value: "/etc"}}, []allow.Want{{Kind: allow.FSRead, Value: "/etc"}}},
	} {
		set := parse(t, row.value)
		for _, w := range row.yes {
			if !set.Allows(w) {
				t.Errorf("--allow %s: %s is not allowed", row.value, w)
			}
		}
		for _, w := range row.no {
			if set.Allows(w) {
				t.Errorf("--allow %s: %s is allowed", row.value, w)
			}
		}
	}
}

// What a want is granted by, Parse reads back; the flag is safe in a shell.
func TestFlagIsReadBack(t *testing.T) {
	for value, flag := range map[string]string{
		"engine=tcp://a:1":        "--allow engine=tcp://a:1",
		"fs.read=/a b":            "--allow 'fs.read=/a b'",
		"fs.read=/it's; rm -rf /": `--allow 'fs.read=/it'\''s; rm -rf /'`,
		`fs.read=/a,b"c`:          `--allow '"fs.read=/a,b""c"'`,
		"repository=$(id)":        "--allow 'repository=$(id)'",
	} {
		kind, rest, _ := strings.Cut(value, "=")
		w := allow.Want{Kind: allow.Kind(kind), Value: rest}
		if got := w.Flag(); got != flag {
			t.Errorf("Flag() of %s = %s, want %s", value, got, flag)
		}
		if !parse(t, w.String()).Allows(w) {
			t.Errorf("%s does not allow itself", w)
		}
	}
}

func TestSecretVariables(t *testing.T) {
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE", "CODEBUILD_AUTH_TOKEN", "DOCKER_AUTH_CONFIG", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"} {
		if !allow.Secret(name) {
			t.Errorf("%s is not kept from the project", name)
		}
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCOUNT_ID", "AWS_PROFILE", "NPM_TOKEN", "GITHUB_TOKEN", "CODEBUILD_BUILD_ID"} {
		if allow.Secret(name) {
			t.Errorf("%s is kept from the project", name)
		}
	}
}

// tree makes files and links (to => target) below a new directory, its links resolved.
func tree(t *testing.T, entries map[string]string) string {
	t.Helper()
	dir := allow.Real(t.TempDir())
	for name, link := range entries {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(path, nil, 0o600)
		if link != "" {
			_ = os.Remove(path)
			err = os.Symlink(link, path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReal(t *testing.T) {
	dir := tree(t, map[string]string{
		"a/file": "", "up": "../..", "out": "/nowhere/there", "chain": "out", "in": "a", "loop": "loop", "in/../dangling": "gone/file",
	})
	for path, want := range map[string]string{
		"a/file": dir + "/a/file", "a/none/x": dir + "/a/none/x", "in/none": dir + "/a/none", "out": "/nowhere/there",
		"out/x": "/nowhere/there/x", "chain/x": "/nowhere/there/x", "dangling": dir + "/gone/file",
	} {
		if got := allow.Real(filepath.Join(dir, path)); got != want {
			t.Errorf("Real(%s) = %s, want %s", path, got, want)
		}
	}
	if got := allow.Real(filepath.Join(dir, "loop")); got == "" {
		t.Error("Real of a link to itself is empty")
	}
}

func TestTop(t *testing.T) {
	dir := tree(t, map[string]string{"clone/.git/HEAD": "", "clone/a/b/file": "", "plain/a/file": ""})
	for at, want := range map[string]string{"clone/a/b": "clone", "clone": "clone", "plain/a": "plain/a"} {
		if got := allow.Top(filepath.Join(dir, at), ""); got != filepath.Join(dir, want) {
			t.Errorf("Top(%s) = %s, want %s", at, got, want)
		}
	}
	if got := allow.Top(filepath.Join(dir, "clone/a"), filepath.Join(dir, "clone")); got != filepath.Join(dir, "clone/a") {
		t.Errorf("Top below a home directory that is a clone = %s", got)
	}
}

func missing(w *allow.Wanted) []string {
	var out []string
	for _, m := range w.Missing() {
		out = append(out, m.Where+" "+m.String())
	}
	return out
}

func TestWanted(t *testing.T) {
	dir := tree(t, map[string]string{"project/file": "", "project/link": "../outside/file", "outside/file": "", "other": "outside/file"})
	w := allow.NewWanted(parse(t, "fs.read="+dir+"/allowed", "env=AWS_SESSION_TOKEN"), nil)
	w.Own(filepath.Join(dir, "project"), "")
	for path, want := range map[string]bool{"project/file": true, "project/new": true, "project/../project/file": true, "allowed/x": true, "project/link": false, "project/../outside/file": false, "other": false} {
		if got := w.Read(filepath.Join(dir, path), path); got != want {
			t.Errorf("Read(%s) = %v, want %v", path, got, want)
		}
	}
	if got := missing(w); len(got) != 1 || !strings.Contains(got[0], "fs.read="+dir) {
		t.Errorf("two paths to one file outside are %q", got)
	}
}

// A want is left out only for another that covers it.
func TestMissingCoversItself(t *testing.T) {
	w := allow.NewWanted(allow.Set{}, nil)
	w.Read("/a/b", "1")
	w.Read("/a", "2")
	w.Read("/a/c", "3")
	w.Write("/a", "4")
	w.Add(allow.Want{Kind: allow.SSH, Where: "6"})
	w.Add(allow.Want{Kind: allow.SSH, Where: "5"})
	if got, want := missing(w), []string{"2 fs.read=/a", "4 fs.write=/a", "6 ssh"}; !slices.Equal(got, want) {
		t.Errorf("Missing() = %q, want %q", got, want)
	}
}

func TestHiddenVariables(t *testing.T) {
	environ := []string{"A=1", "AWS_ACCESS_KEY=hush1", "AWS_ACCESS_KEY_ID=hush2", "AWS_SESSION_TOKEN=shown", "AWS_SECRET_ACCESS_KEY="}
	w := allow.NewWanted(parse(t, "env=AWS_SESSION_TOKEN"), environ)
	seen := w.Visible(environ)
	if text := strings.Join(seen, "\n"); strings.Contains(text, "hush") || !strings.Contains(text, "AWS_SESSION_TOKEN=shown") || !strings.Contains(text, "A=1") {
		t.Errorf("Visible() = %q", seen)
	}
	_, id, _ := strings.Cut(seen[2], "=")
	w.Scan("x "+id+" y", "field")
	w.Scan("AWS_ACCESS_KEY", "its name alone")
	if got, want := missing(w), []string{"field env=AWS_ACCESS_KEY_ID"}; !slices.Equal(got, want) {
		t.Errorf("Missing() = %q, want %q", got, want)
	}
}

func TestNilWanted(t *testing.T) {
	var w *allow.Wanted
	w.Own("/", "")
	w.Scan("x", "y")
	if !w.Read("/etc", "x") || !w.Add(allow.Want{Kind: allow.SSH}) || w.Missing() != nil || len(w.Visible([]string{"A=1"})) != 1 {
		t.Error("a nil *Wanted refuses or keeps something")
	}
}

// What is parsed allows itself, and no value allows what has another kind.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"ssh", "fs.read=*", "repository=*shop/*", "s3=s3://b/", "engine", "engine=\x00", "env=A=B", "repository=123456789012.dkr.ecr.eu-west-1.amazonaws.com/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := allow.Parse("/project", []string{text})
		if err != nil {
			return
		}
		kind, value, _ := strings.Cut(text, "=")
		w := allow.Want{Kind: allow.Kind(kind), Value: value}
		if w.Kind == allow.FSRead || w.Kind == allow.FSWrite {
			if !filepath.IsAbs(value) && value != "*" {
				w.Value = filepath.Join("/project", value)
			}
		}
		ecr := w.Kind == allow.Repository && strings.Contains(value, ".dkr")
		if !set.Allows(w) && !ecr {
			t.Errorf("--allow %q does not allow %q", text, w)
		}
		w.Kind += "x"
		if set.Allows(w) {
			t.Errorf("--allow %q allows %q", text, w)
		}
	})
}
