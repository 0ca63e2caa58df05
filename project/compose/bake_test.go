package compose_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/testkit"
	"slipway/project/compose"
)

// bakeProject is a project of one service whose build has the lines given under x-bake,
// and a build section of its own.
func bakeProject(t *testing.T, build string, lines ...string) string {
	t.Helper()
	text := "services:\n  base: {build: .}\n  app:\n    build:\n      context: .\n" + build + "      x-bake:\n"
	for _, l := range lines {
		text += "        " + l + "\n"
	}
	return testkit.WriteTree(t, map[string]string{"compose.yaml": text})
}

// Each key of x-bake that means something here is added to the build's own.
func TestBakeExtension(t *testing.T) {
	for _, row := range []struct {
		build, line, want string
	}{
		{"", "platforms: [linux/amd64, linux/arm64]", "platforms [linux/amd64 linux/arm64]"},
		{"      platforms: [linux/amd64]\n", "platforms: linux/amd64 linux/arm64", "platforms [linux/amd64 linux/arm64]"},
		{"      cache_from: [a]\n", "cache-from: [b, 'type=registry,ref=c']", "from [a b type=registry,ref=c]"},
		{"      cache_to: [a]\n", "cache-to: type=inline", "to [a type=inline]"},
		{"", "pull: true", "pull true"},
		{"      no_cache: true\n", "no-cache: false", "no-cache false"},
		{"", "no-cache: '${YES}'", "no-cache true"},
		{"      no_cache_filter: [a]\n", "no-cache-filter: [b]", "filter [a b]"},
		{"      additional_contexts: {a: ./a}\n", "contexts: {b: 'docker-image://b', c: 'target:base'}", "contexts map[b:docker-image://b c:service:base]"},
		{"      ssh: [default]\n", "ssh: ['default=./key', other=./o]", "ssh [{default ./key} {other ./o}]"},
		{"", "secret: ['id=a,src=./a.txt', 'id=b,env=B', 'type=env,id=c,src=C', 'id=YES', 'id=./d']",
			"secrets [a DIR/a.txt  b  B c  C YES  YES ./d DIR/d ]"},
	} {
		dir := bakeProject(t, row.build, row.line)
		p, err := compose.Load(t.Context(), compose.Options{Dir: dir, Environ: []string{"YES=1", "B=b"}})
		if err != nil {
			t.Errorf("%s: %v", row.line, err)
			continue
		}
		if got := strings.ReplaceAll(shownBuild(p), dir, "DIR"); !strings.Contains(got, row.want) {
			t.Errorf("%s: have\n%s\nwant %s", row.line, got, row.want)
		}
		if unread := compose.UnreadBake(p.Services["app"].Build); unread != nil {
			t.Errorf("%s: %q are not read", row.line, unread)
		}
	}
}

// shownBuild is the build of the service app in words.
func shownBuild(p *types.Project) string {
	b := p.Services["app"].Build
	contexts := map[string]string{}
	for name, c := range b.AdditionalContexts {
		if name != "a" {
			contexts[name] = c
		}
	}
	var secrets []string
	for _, s := range b.Secrets {
		def := p.Secrets[s.Source]
		secrets = append(secrets, s.Target+" "+def.File+" "+def.Environment)
	}
	var ssh []types.SSHKey
	for _, k := range b.SSH {
		ssh = append(ssh, k)
	}
	slices.SortFunc(ssh, func(a, b types.SSHKey) int { return strings.Compare(a.ID, b.ID) })
	return fmt.Sprintf("platforms %v\nfrom %v\nto %v\npull %v\nno-cache %v\nfilter %v\ncontexts %v\nssh %v\nsecrets %v\n",
		b.Platforms, b.CacheFrom, b.CacheTo, b.Pull, b.NoCache, b.NoCacheFilter, contexts, ssh, secrets)
}

// The keys that mean nothing here are named, for a warning.
func TestUnreadBake(t *testing.T) {
	p := load(t, bakeProject(t, "", "tags: [example.org/a:b]", "output: type=docker", "wibble: 1", "pull: true"))
	want := []string{
		"output is not read: Slipway pushes each image to its repository",
		"tags is not read: Slipway tags each image with the hash; write more tags into build.tags",
		"wibble is not read",
	}
	if got := compose.UnreadBake(p.Services["app"].Build); !slices.Equal(got, want) {
		t.Errorf("UnreadBake() = %q, want %q", got, want)
	}
}

func TestBakeErrors(t *testing.T) {
	for line, want := range map[string]string{
		"platforms: {a: b}":             "services.app.build.x-bake.platforms: want a list of strings, have a mapping",
		"platforms: [1]":                "services.app.build.x-bake.platforms: want a list of strings, have a number in it",
		"pull: perhaps":                 "services.app.build.x-bake.pull: want a boolean, have a string",
		"pull: [true]":                  "services.app.build.x-bake.pull: want a boolean, have a list",
		"contexts: [a]":                 "services.app.build.x-bake.contexts: want a mapping of strings, have a list",
		"contexts: {a: 1}":              "services.app.build.x-bake.contexts.a: want a string, have a number",
		"secret: [src=x]":               `services.app.build.x-bake.secret: "src=x" has no id`,
		"secret: ['id=a,mode=1']":       `services.app.build.x-bake.secret: "id=a,mode=1": unknown attribute "mode"`,
		"secret: ['id=a,src=b,type=x']": `services.app.build.x-bake.secret: "id=a,src=b,type=x": unknown type "x"`,
		"ssh: ['a=b,c']":                `services.app.build.x-bake.ssh: "a=b,c" has more than one path`,
	} {
		_, err := compose.Load(t.Context(), compose.Options{Dir: bakeProject(t, "", line)})
		wantInputError(t, err, want)
	}
	_, err := compose.Load(t.Context(), compose.Options{Dir: testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {app: {build: {context: ., x-bake: [a]}}}"})})
	wantInputError(t, err, "services.app.build.x-bake: want a mapping, have a list")
}
