package target_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/target"
	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/internal/testkit"
)

// buildKeys lists for every key below build how it reaches BuildKit: have is a text
// that the request or the plan holds with the key and does not hold without it. A
// key that only leaves something out has a refusal alone.
var buildKeys = map[string]struct {
	yaml    string // the value
	have    string // in the request, or in the plan for what is attached to it
	refused string // a value that is refused
	message string // the refusal
	hint    string // in its hint
}{
	"context": {yaml: "./other", have: `"local-sessionid:context":"session of DIR/other"`,
		refused: "./missing", message: "services.app.build.context: no such directory DIR/missing", hint: "create the directory"},
	"dockerfile": {yaml: "other.Dockerfile", have: `"filename":"other.Dockerfile"`,
		refused: "none", message: "services.app.build.dockerfile: no Dockerfile: stat DIR/none: no such file or directory", hint: "name another with dockerfile"},
	"dockerfile_inline": {yaml: "FROM scratch", have: `"local-sessionid:dockerfile":"session of inline:app"`},
	"entitlements": {yaml: "[network.host]", have: `"Entitlements":["network.host"]`,
		refused: "[root]", message: `services.app.build.entitlements: unknown entitlement "root"`, hint: "security.insecure"},
	"args":       {yaml: "{A: b}", have: `"build-arg:A":"b"`},
	"provenance": {yaml: "mode=max", have: `"attest:provenance":"mode=max"`},
	"sbom":       {yaml: "true", have: `"attest:sbom":"generator=`},
	"ssh": {yaml: "[default]", have: `"SSH":[{"ID":"default"`,
		refused: "[other=./missing]", message: "services.app.build.ssh.other: stat DIR/missing: no such file or directory", hint: "correct the path"},
	"labels": {yaml: "{a: b}", have: `"label:a":"b"`},
	"cache_from": {yaml: "[example.org/a:cache]", have: `"CacheImports":[{"Type":"registry","Attrs":{"ref":"example.org/a:cache"}}]`,
		refused: `["type=registry"]`, message: `services.app.build.cache_from: "type=registry": type=registry needs a ref`, hint: "type=registry,ref="},
	"cache_to": {yaml: "[type=inline]", have: `"CacheExports":[{"Type":"inline","Attrs":{}}]`,
		refused: `["mode=max"]`, message: `services.app.build.cache_to: "mode=max": has no type`, hint: "type=inline"},
	"no_cache":        {yaml: "true", have: `"no-cache":""`},
	"no_cache_filter": {yaml: "[deps]", have: `"no-cache":"deps"`},
	"additional_contexts": {yaml: "{more: ./other}", have: `"context:more":"local:context-more","filename":"Dockerfile","local-sessionid:context":"session of DIR","local-sessionid:context-more":"session of DIR/other"`,
		refused: "{more: 'ftp://example.org/x'}", message: `services.app.build.additional_contexts.more: "ftp://example.org/x" has an unknown kind`, hint: "docker-image://"},
	"pull": {yaml: "true", have: `"image-resolve-mode":"pull"`},
	"extra_hosts": {yaml: "[db=10.0.0.1]", have: `"add-hosts":"db=10.0.0.1"`,
		refused: "[db=host-gateway]", message: "services.app.build.extra_hosts.db: host-gateway means something to a Docker engine only", hint: "write the address"},
	"isolation": {refused: "hyperv", message: `services.app.build.isolation: "hyperv" cannot be carried out`, hint: "remove the key"},
	"network": {yaml: "none", have: `"force-network-mode":"none"`,
		refused: "shop_default", message: `services.app.build.network: "shop_default" cannot be carried out`, hint: "default, none and host"},
	"target": {yaml: "last", have: `"target":"last"`},
	"secrets": {yaml: "[token]", have: `"Secrets":[{"ID":"token"`,
		refused: "[gone]", message: "services.app.build.secrets.gone: stat DIR/gone.txt: no such file or directory", hint: "create the file"},
	"shm_size": {yaml: "64mb", have: `"shm-size":"67108864"`},
	"tags":     {yaml: "[app:extra]", have: `"Tags":["app:extra"]`},
	"ulimits":  {yaml: "{nofile: 99}", have: `"ulimit":"nofile=99:99"`},
	"platforms": {yaml: "[linux/arm64]", have: `"platform":"linux/arm64"`,
		refused: "[a/b/c/d]", message: `services.app.build.platforms: "a/b/c/d":`, hint: "os/architecture"},
	"privileged": {yaml: "true", have: `"Entitlements":["security.insecure"]`},
}

// composeKeys are the yaml keys of compose-go's build section.
func composeKeys() []string {
	var keys []string
	for field := range reflect.TypeFor[types.BuildConfig]().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if !strings.HasPrefix(key, "#") {
			keys = append(keys, key)
		}
	}
	return keys
}

// A key that a later compose-go knows must be carried or refused, never dropped.
func TestEveryBuildKeyHasARow(t *testing.T) {
	known := composeKeys()
	for _, key := range known {
		if _, ok := buildKeys[key]; !ok {
			t.Errorf("build.%s: compose-go reads it, this table does not say what becomes of it", key)
		}
	}
	if len(known) != len(buildKeys) {
		t.Errorf("compose-go has %d keys, the table %d", len(known), len(buildKeys))
	}
}

// keyProject is a project of one service whose build section has the lines given.
func keyProject(t *testing.T, lines ...string) string {
	t.Helper()
	text := "services:\n  app:\n    build:\n"
	if !strings.HasPrefix(strings.Join(lines, " "), "context:") {
		lines = append(lines, "context: .")
	}
	for _, l := range lines {
		text += "      " + l + "\n"
	}
	text += "secrets:\n  token: {environment: TOKEN}\n  gone: {file: ./gone.txt}\n"
	return testkit.WriteTree(t, map[string]string{
		"compose.yaml": text, "Dockerfile": "FROM scratch\n", "other.Dockerfile": "FROM scratch\n",
		"other/Dockerfile": "FROM scratch\n", "token.txt": "x",
	})
}

func planKeys(t *testing.T, dir string) (target.Target, error) {
	t.Helper()
	list, _, err := target.Select(load(t, dir, "TOKEN=x", "SSH_AUTH_SOCK=/run/agent"),
		target.Selection{})
	if err != nil {
		return target.Target{}, err
	}
	return list[0], nil
}

// seen is all that a target asks for, in one text.
func seen(t *testing.T, dir string, x target.Target) string {
	t.Helper()
	src := target.Sources{Session: map[string]string{x.InlineKey(): "session of " + x.InlineKey()}}
	for _, d := range target.Dirs([]target.Target{x}) {
		src.Session[d] = "session of " + d
	}
	text, err := json.Marshal([]any{requestOf(x, target.Push{Repository: "r"}, src), map[string]any{"Secrets": x.Secrets, "SSH": x.SSH, "Tags": x.Tags}})
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), dir, "DIR")
}

func TestBuildKeysAreCarriedOrRefused(t *testing.T) {
	for key, row := range buildKeys {
		t.Run(key, func(t *testing.T) {
			if row.yaml == "" && row.refused == "" {
				t.Fatal("the row says nothing")
			}
			if row.yaml != "" {
				wantCarried(t, key+": "+row.yaml, row.have)
			}
			if row.refused != "" {
				wantRefused(t, key+": "+row.refused, row.message, row.hint)
			}
		})
	}
}

func wantCarried(t *testing.T, line, have string) {
	t.Helper()
	plain := keyProject(t)
	without, err := planKeys(t, plain)
	if err != nil {
		t.Fatal(err)
	}
	dir := keyProject(t, line)
	with, err := planKeys(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if text := seen(t, dir, with); !strings.Contains(text, have) {
		t.Errorf("no %s in\n%s", have, text)
	}
	if text := seen(t, plain, without); strings.Contains(text, have) {
		t.Errorf("%s also without the key, in\n%s", have, text)
	}
}

func wantRefused(t *testing.T, line, message, hint string) {
	t.Helper()
	dir := keyProject(t, line)
	_, err := planKeys(t, dir)
	var input *fault.InputError
	if !errors.As(err, &input) {
		t.Fatalf("want an *fault.InputError, have %v", err)
	}
	if text := strings.ReplaceAll(err.Error(), dir, "DIR"); text != message && (!strings.HasSuffix(message, ":") || !strings.HasPrefix(text, message)) {
		t.Errorf("error\n have %s\n want %s", text, message)
	}
	if !strings.Contains(input.Hint(), hint) {
		t.Errorf("hint %q lacks %q", input.Hint(), hint)
	}
}

// Refusals that the table has no place for.
func TestMoreRefusals(t *testing.T) {
	inline := "dockerfile_inline: FROM scratch"
	for _, row := range []struct{ line, message, hint string }{
		{`context: "ftp://example.org/x"`, `services.app.build.context: "ftp://example.org/x" is not a supported main context`, "git or http(s)"},
		{"context: ./compose.yaml", "services.app.build.context: DIR/compose.yaml is not a directory", "name the file with dockerfile"},
		{"dockerfile: other", "services.app.build.dockerfile: no Dockerfile: DIR/other is a directory", "name another"},
		{"extra_hosts: ['a=::1', 'db=host-gateway']", "services.app.build.extra_hosts.db: host-gateway means something to a Docker engine only", "address"},
		{"additional_contexts: {x: 'oci-layout://./other'}", "services.app.build.additional_contexts.x: stat DIR/other/index.json: no such file or directory", "OCI image layout"},
		{"additional_contexts: {x: ./none}", "services.app.build.additional_contexts.x: no such directory DIR/none", "correct the path"},
		{"cache_from: ['type=registry,ref']", `services.app.build.cache_from: "type=registry,ref": "ref" is not key=value`, "image reference"},
	} {
		t.Run(row.line, func(t *testing.T) {
			if strings.HasPrefix(row.line, "context:") {
				row.line += "\n      " + inline
			}
			wantRefused(t, row.line, row.message, row.hint)
		})
	}
}

func TestRefusalsFromTheEnvironment(t *testing.T) {
	for _, row := range []struct{ line, message string }{
		{"secrets: [token]", "services.app.build.secrets.token: the environment variable TOKEN is not set"},
		{"ssh: [default]", "services.app.build.ssh.default: SSH_AUTH_SOCK is not set"},
	} {
		_, _, err := target.Select(load(t, keyProject(t, row.line)), target.Selection{})
		wantInputError(t, err, row.message)
	}
}

// What the engine's sandbox keeps from a build is noted, for the caller to allow or refuse.
func TestEntitlementsAreNoted(t *testing.T) {
	for line, want := range map[string]string{
		"privileged: true":             "services.app.build.privileged security.insecure",
		"entitlements: [network.host]": "services.app.build.entitlements network.host",
		"entitlements: [device=gpu]":   "services.app.build.entitlements device=gpu",
		"network: host":                "services.app.build.network network.host",
		"ssh: [default]":               "services.app.build.ssh.default ssh",
		"cache_from: ['type=s3,bucket=b,prefix=p,endpoint_url=https://x.example']": "services.app.build.cache_from s3=https://x.example/b/p",
	} {
		wanted := allow.NewWanted(allow.Set{}, nil)
		p := load(t, keyProject(t, line), "SSH_AUTH_SOCK=/run/agent")
		wanted.Own(p.WorkingDir, "")
		if _, _, err := target.Select(p, target.Selection{Wanted: wanted}); err != nil {
			t.Fatal(err)
		}
		missing := wanted.Missing()
		if len(missing) != 1 || missing[0].Where+" "+missing[0].String() != want {
			t.Errorf("%s: Missing() = %v, want %s", line, missing, want)
		}
	}
}

func TestExternalSecretIsRefused(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{
		"Dockerfile":   "FROM scratch\n",
		"compose.yaml": "services:\n  app:\n    build: {context: ., secrets: [key]}\nsecrets:\n  key: {external: true}\n",
	})
	_, _, err := target.Select(load(t, dir), target.Selection{})
	wantInputError(t, err, "services.app.build.secrets.key: an external secret cannot be read here")
}

func TestSecretNeverPrints(t *testing.T) {
	x := target.Target{Secrets: []target.Secret{{ID: "npm", Value: "hunter2"}}}
	text, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{string(text), fmt.Sprintf("%v", x.Secrets), fmt.Sprintf("%+v", x.Secrets), fmt.Sprintf("%#v", x.Secrets)} {
		if strings.Contains(s, "hunter2") || !strings.Contains(s, "npm") {
			t.Errorf("printed as %s", s)
		}
	}
}

// TestAttestations: the project's settings decide where the build section does not.
func TestAttestations(t *testing.T) {
	t.Parallel()
	for build, want := range map[string][2]string{
		"":                                  {"mode=min", "generator=docker/buildkit-syft-scanner:stable-1"},
		"provenance: false, sbom: false":    {"", ""},
		"provenance: mode=max, sbom: false": {"mode=max", ""},
	} {
		dir := testkit.WriteTree(t, map[string]string{
			"compose.yaml": "services: {app: {build: {context: ., " + build + "}}}\n", "Dockerfile": "FROM scratch\n",
		})
		targets, _, err := target.Select(load(t, dir), target.Selection{Attestations: []string{"provenance", "sbom"}})
		if err != nil || len(targets) != 1 {
			t.Fatalf("Select with %q returned %v, %v, want one target", build, targets, err)
		}
		if got := [2]string{targets[0].Provenance, targets[0].SBOM}; got != want {
			t.Errorf("%s: provenance and SBOM %q, want %q", build, got, want)
		}
	}
}
