package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// serviceCount is how many services the project has that is built.
	serviceCount = 8
	// dataMB is what each service's RUN writes.
	dataMB = 20
	// hashMB is the work of each RUN: about half a second of one core's time.
	hashMB = 700
	// sourceFiles is how many small files each service copies.
	sourceFiles = 50
	// planCount is how many services the large project has.
	planCount = 200
	// taskCount is how many ECS services the project with task definitions has.
	taskCount = 50
	// toolContext is the additional context with the program that RUN runs.
	toolContext = "tool"
)

// project is a directory with the same services for every contestant. Nothing
// in it is pulled from anywhere: the images start from scratch.
type project struct {
	dir      string
	services []string
}

// writeProject writes the project that is built.
func writeProject(ctx context.Context, dir string) (project, error) {
	p := project{dir: dir}
	var compose strings.Builder
	compose.WriteString("services:\n")
	for i := 1; i <= serviceCount; i++ {
		name := fmt.Sprintf("s%d", i)
		p.services = append(p.services, name)
		fmt.Fprintf(&compose, "  %s:\n    build:\n      context: ./%s\n      additional_contexts: {%s: ./%s}\n", name, name, toolContext, toolContext)
		dockerfile := fmt.Sprintf("FROM scratch\nCOPY --from=%s tool /tool\nCOPY . /src\nRUN [\"/tool\", \"-seed=%d\", \"-files=%d\", \"-work=%d\"]\n", toolContext, i, dataMB, hashMB)
		if err := writeService(filepath.Join(dir, name), dockerfile, sourceFiles); err != nil {
			return p, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(compose.String()), 0o644); err != nil {
		return p, err
	}
	return p, compileTool(ctx, filepath.Join(dir, toolContext, "tool"))
}

func writeService(dir, dockerfile string, files int) error {
	if err := os.MkdirAll(filepath.Join(dir, "lib"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		return err
	}
	for i := range files {
		text := bytes.Repeat(fmt.Appendf(nil, "line %d of %s\n", i, filepath.Base(dir)), 100)
		if err := os.WriteFile(filepath.Join(dir, "lib", fmt.Sprintf("%02d.txt", i)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compileTool builds a static binary: it runs in an image that has nothing else.
func compileTool(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "slipway/bench/tool")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the workload's tool: %w\n%s", err, out)
	}
	return nil
}

// bakeFile is the same project for buildx bake, under the given tags.
func (p project) bakeFile(tags map[string]string, cache map[string]caches) ([]byte, error) {
	type target struct {
		Context   string            `json:"context"`
		Contexts  map[string]string `json:"contexts"`
		Tags      []string          `json:"tags"`
		CacheFrom []string          `json:"cache-from,omitempty"`
		CacheTo   []string          `json:"cache-to,omitempty"`
	}
	targets := map[string]target{}
	for _, s := range p.services {
		t := target{Context: s, Contexts: map[string]string{toolContext: toolContext}, Tags: []string{tags[s]}}
		if ref, ok := cache[s]; ok {
			t.CacheFrom = []string{"type=registry,ref=" + ref.from}
			t.CacheTo = []string{"type=registry,mode=max,image-manifest=true,ref=" + ref.to}
		}
		targets[s] = t
	}
	return json.MarshalIndent(map[string]any{
		"group":  map[string]any{"default": map[string]any{"targets": p.services}},
		"target": targets,
	}, "", "  ")
}

// largeServices are the names of the services of the large project.
func largeServices() []string {
	var out []string
	for i := range planCount {
		out = append(out, fmt.Sprintf("s%03d", i+1))
	}
	return out
}

// writeLargeProject writes a project of many services that have next to nothing to
// build.
func writeLargeProject(dir string) error {
	var compose strings.Builder
	compose.WriteString("services:\n")
	for i, name := range largeServices() {
		fmt.Fprintf(&compose, "  %s:\n    build:\n      context: ./%s\n      args: {NUMBER: %d}\n", name, name, i+1)
		if err := writeService(filepath.Join(dir, name), "FROM scratch\nARG NUMBER\nCOPY . /src\n", 5); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(compose.String()), 0o644)
}

// writeTaskProject writes a project of many ECS services, each of one container.
func writeTaskProject(dir string) error {
	var compose strings.Builder
	compose.WriteString("name: many\nx-slipway: {task: {stack: site}}\nservices:\n")
	for i := range taskCount {
		name := fmt.Sprintf("s%02d", i+1)
		fmt.Fprintf(&compose, "  %s:\n    build: ./%s\n    ports: [\"%d\"]\n    environment: {NUMBER: %d, MODE: production}\n", name, name, 8001+i, i+1)
		fmt.Fprintf(&compose, "    healthcheck: {test: curl -f http://localhost:%d/}\n    x-slipway: {ecs: {cluster: many, service: %s}}\n", 8001+i, name)
		if err := writeService(filepath.Join(dir, name), "FROM scratch\nCOPY . /src\n", 1); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(compose.String()), 0o644)
}

// commit puts the directory under git as it is.
func commit(ctx context.Context, dir string) error {
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "."},
		{"-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "all"},
	} {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}
