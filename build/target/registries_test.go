package target_test

import (
	"fmt"
	"testing"

	"slipway/build/target"
	"slipway/internal/testkit"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"docker.io": "docker.io", "index.docker.io": "docker.io", "registry-1.docker.io": "docker.io", "https://index.docker.io/v1/": "docker.io", "Registry-1.Docker.IO": "docker.io",
		"docker.io.evil.example": "docker.io.evil.example", "registry-1.docker.io:443": "registry-1.docker.io:443", "ghcr.io": "ghcr.io", "127.0.0.1:5000": "127.0.0.1:5000",
	} {
		if got := target.Registry(host); got != want {
			t.Errorf("Registry(%q) = %q, want %q", host, got, want)
		}
	}
}

// TestRegistries: every place where a project names an image counts, and only what the
// stage to build needs.
func TestRegistries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, compose, dockerfile, want string }{
		{"FROM", "build: .", "FROM alpine", "[docker.io]"},
		{"FROM by the index's name", "build: .", "FROM index.docker.io/library/alpine", "[docker.io]"},
		{"FROM by an argument", "build: {context: ., args: {BASE: a.example/x}}", "ARG BASE\nFROM $BASE", "[a.example]"},
		{"FROM by an argument's default", "build: .", "ARG BASE=a.example:5000/x\nFROM $BASE", "[a.example:5000]"},
		{"a stage that is not needed", "build: {context: ., target: two}", "FROM a.example/x AS one\nFROM b.example/x AS two", "[b.example]"},
		{"COPY --from", "build: .", "FROM scratch\nCOPY --from=a.example/x /a /a", "[a.example]"},
		{"a mount", "build: .", "FROM b.example/x\nRUN --mount=from=a.example/x,target=/x true", "[a.example b.example]"},
		{"syntax", "build: .", "# syntax=a.example/x\nFROM scratch\nCOPY Dockerfile /", "[a.example]"},
		{"syntax by an argument", "build: {context: ., args: {BUILDKIT_SYNTAX: a.example/x}}", "FROM scratch\nCOPY Dockerfile /", "[a.example]"},
		{"a syntax that is not known", "build: .", "# syntax=a.example/x\nSOMETHING else", "[a.example]"},
		{"caches", "build: {context: ., cache_from: [a.example/c], cache_to: ['type=registry,ref=b.example/c', 'type=inline']}", "FROM scratch\nCOPY Dockerfile /", "[a.example b.example]"},
		{"contexts", "build: {context: ., additional_contexts: {x: docker-image://a.example/x}}", "FROM scratch\nCOPY --from=x /a /a", "[a.example]"},
		{"a scanner", "build: {context: ., sbom: 'generator=a.example/x'}", "FROM scratch\nCOPY Dockerfile /", "[a.example docker.io]"},
		{"the usual scanner", "build: {context: ., sbom: true}", "FROM scratch\nCOPY Dockerfile /", "[docker.io]"},
		{"a Dockerfile elsewhere", "build: {context: 'https://git.example/x.git', cache_from: [a.example/c]}", "", "[a.example]"},
		{"nothing", "build: .", "FROM scratch\nCOPY Dockerfile /", "[]"},
	} {
		dir := testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {app: {" + c.compose + "}}\n", "Dockerfile": c.dockerfile + "\n"})
		if got := fmt.Sprint(target.Registries(t.Context(), targets(t, dir))); got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}
