package target_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/build/target"
	"slipway/internal/fault"
)

func TestBases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, file string
		target     target.Target
		want       string
	}{
		{"one", "FROM alpine:3.22\nRUN true\n", target.Target{}, "alpine:3.22 linux/amd64"},
		{"no tag", "FROM alpine\n", target.Target{}, "alpine:latest linux/amd64"},
		{"none", "FROM scratch\nCOPY a /\n", target.Target{}, ""},
		{"stages", "FROM golang:1 AS build\nFROM build AS more\nFROM debian:13\nCOPY --from=more /a /\n", target.Target{}, "debian:13 linux/amd64, golang:1 linux/amd64"},
		{"a stage nobody needs", "FROM golang:1 AS lint\nFROM debian:13\n", target.Target{}, "debian:13 linux/amd64"},
		{"target", "FROM golang:1 AS lint\nFROM debian:13\n", target.Target{Target: "lint"}, "golang:1 linux/amd64"},
		{"copied from", "FROM scratch\nCOPY --from=ghcr.io/a/b:1 /a /\n", target.Target{}, "ghcr.io/a/b:1 linux/amd64"},
		{"mounted", "FROM debian:13\nRUN --mount=type=bind,from=busybox:1,target=/b true\n", target.Target{}, "busybox:1 linux/amd64, debian:13 linux/amd64"},
		{"argument's default", "ARG V=3.1\nFROM alpine:${V}\n", target.Target{}, "alpine:3.1 linux/amd64"},
		{"argument given", "ARG V=3.1\nFROM alpine:${V}\n", target.Target{Args: map[string]string{"V": "3.2"}}, "alpine:3.2 linux/amd64"},
		{"argument with a fallback", "ARG V\nFROM alpine:${V:-edge}\n", target.Target{}, "alpine:edge linux/amd64"},
		{"platforms", "FROM alpine:3\n", target.Target{Platforms: []string{"linux/amd64", "linux/arm64"}}, "alpine:3 linux/amd64, alpine:3 linux/arm64"},
		{"a platform of its own", "FROM --platform=linux/s390x alpine:3\n", target.Target{}, "alpine:3 linux/s390x"},
		{"digest", "FROM alpine@sha256:" + strings.Repeat("a", 64) + "\n", target.Target{}, "alpine@sha256:" + strings.Repeat("a", 64) + " linux/amd64"},
		{"syntax", "# syntax=docker/dockerfile:1\nFROM scratch\n", target.Target{}, "docker/dockerfile:1 "},
		{"syntax by argument", "FROM scratch\n", target.Target{Args: map[string]string{"BUILDKIT_SYNTAX": "my/frontend:2 --x"}}, "my/frontend:2 "},
		{"context in place of an image", "FROM alpine\n", target.Target{Contexts: map[string]target.Context{"alpine": {Dir: "/tmp"}}}, ""},
		{"context in place of a stage", "FROM golang:1 AS base\nRUN true\nFROM base\n", target.Target{Contexts: map[string]target.Context{"base": {Image: "mirror/base:1"}}}, "mirror/base:1 linux/amd64"},
		{"what a replaced stage copies", "FROM golang:1 AS base\nCOPY --from=busybox:1 /a /\nFROM alpine:3\nFROM scratch\nCOPY --from=base /a /\nCOPY --from=1 /b /\n", target.Target{Contexts: map[string]target.Context{"base": {Dir: "/tmp"}}}, "alpine:3 linux/amd64"},
		{"copied from a context", "FROM scratch\nCOPY --from=assets /a /\n", target.Target{Contexts: map[string]target.Context{"assets": {Service: "web"}}}, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			if c.target.Platforms == nil {
				c.target.Platforms = []string{"linux/amd64"}
			}
			c.target.DockerfileInline = c.file
			bases, err := target.Bases(t.Context(), c.target)
			if err != nil {
				t.Fatal(err)
			}
			if got := listed(bases); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func listed(bases []target.Base) string {
	var out []string
	for _, b := range bases {
		out = append(out, b.Image+" "+b.Platform)
	}
	return strings.Join(out, ", ")
}

func TestBasesOfAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dockerfile"), []byte("FROM alpine:3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := target.Target{Service: "web", Context: target.Context{Dir: dir}, Dockerfile: filepath.Join(dir, "Dockerfile"), Platforms: []string{"linux/arm64"}}
	bases, err := target.Bases(t.Context(), x)
	if err != nil || listed(bases) != "alpine:3 linux/arm64" {
		t.Errorf("Bases = %v, %v, want alpine:3 for linux/arm64", bases, err)
	}

	x.DockerfileInline = "FROM alpine:3\n\nRUNN true\n"
	_, err = target.Bases(t.Context(), x)
	var input *fault.InputError
	if !errors.As(err, &input) || !strings.Contains(err.Error(), "services.web.build: dockerfile_inline:3") {
		t.Errorf("Bases = %v, want an InputError at line 3 of dockerfile_inline", err)
	}

	// Another syntax may know what the frontend linked here does not.
	x.DockerfileInline = "# syntax=my/own:1\n" + x.DockerfileInline
	bases, err = target.Bases(t.Context(), x)
	if !errors.Is(err, target.ErrUnreadable) || listed(bases) != "my/own:1 " {
		t.Errorf("Bases = %v, %v, want my/own:1 and ErrUnreadable", bases, err)
	}

	remote := target.Target{
		Context: target.Context{Remote: "https://me:secret@example.com/repo.git"}, Dockerfile: "Dockerfile",
		Contexts: map[string]target.Context{"base": {Image: "mirror/base:1"}}, Platforms: []string{"linux/amd64"},
	}
	bases, err = target.Bases(t.Context(), remote)
	if !errors.Is(err, target.ErrUnreadable) || strings.Contains(err.Error(), "secret") || !slices.Equal(bases, []target.Base{{Image: "mirror/base:1", Platform: "linux/amd64"}}) {
		t.Errorf("Bases = %v, %v, want mirror/base:1 for linux/amd64 and ErrUnreadable without the secret", bases, err)
	}
}
