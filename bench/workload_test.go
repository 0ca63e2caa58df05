package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/build/target"
	"slipway/internal/golden"
	plans "slipway/project"
	"slipway/project/compose"
)

func TestProject(t *testing.T) {
	dir := t.TempDir()
	p, err := writeProject(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	targets := plan(t, dir)
	if len(targets) != serviceCount || len(p.services) != serviceCount {
		t.Fatalf("slipway sees %d services, the others %d, want %d", len(targets), len(p.services), serviceCount)
	}
	for i, target := range targets {
		if target.Service != p.services[i] || target.Contexts[toolContext].Dir != filepath.Join(dir, toolContext) {
			t.Errorf("slipway builds %s with %v, the others %s", target.Service, target.Contexts, p.services[i])
		}
		files, err := os.ReadDir(filepath.Join(dir, target.Service, "lib"))
		if err != nil || len(files) != sourceFiles {
			t.Errorf("%s has %d files: %v", target.Service, len(files), err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, toolContext, "tool")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the tool: %v, %v", info, err)
	}
}

func plan(t *testing.T, dir string) []target.Target {
	t.Helper()
	loaded, err := compose.Load(t.Context(), compose.Options{Dir: dir, Files: []string{filepath.Join(dir, "compose.yaml")}})
	if err != nil {
		t.Fatal(err)
	}
	targets, _, err := target.Select(loaded, target.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(targets, func(a, b target.Target) int { return strings.Compare(a.Service, b.Service) })
	return targets
}

func TestLargeProject(t *testing.T) {
	dir := t.TempDir()
	if err := writeLargeProject(dir); err != nil {
		t.Fatal(err)
	}
	if got := len(plan(t, dir)); got != planCount {
		t.Errorf("%d services, want %d", got, planCount)
	}
	if err := commit(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := commit(t.Context(), dir); err == nil {
		t.Error("the first commit left something to commit")
	}
}

func TestBakeFile(t *testing.T) {
	p := project{services: []string{"s1", "s2"}}
	tags := map[string]string{"s1": "host/p/s1:one", "s2": "host/p/s2:one"}
	data, err := p.bakeFile(tags, map[string]caches{"s2": {"host/p/s2:buildcache", "host/p/s2:buildcache-bake"}})
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "bake.golden", append(data, '\n'))
}

func TestTaskProject(t *testing.T) {
	dir := t.TempDir()
	if err := writeTaskProject(dir); err != nil {
		t.Fatal(err)
	}
	definitions, err := plans.TaskDefinitions(t.Context(), &plans.Host{Dir: dir}, plans.Options{Files: []string{"compose.yaml"}})
	if err != nil || len(definitions) != taskCount {
		t.Errorf("%d task definitions, %v, want %d", len(definitions), err, taskCount)
	}
}
