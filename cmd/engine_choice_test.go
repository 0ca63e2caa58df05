package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/dockertest"
	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
)

// bare is an environment in which no engine can be started: PATH has no buildkitd.
func bare(t *testing.T, docker string) []string {
	return []string{"BUILDKIT_HOST=", "PATH=" + t.TempDir(), "DOCKER_HOST=" + docker}
}

// withOwn is one in which an engine of our own can be, at the price of a directory.
func withOwn(t *testing.T, docker string) []string {
	t.Helper()
	enginetest.Require(t)
	return []string{"BUILDKIT_HOST=", toolsPath(t), "DOCKER_HOST=" + docker, "SLIPWAY_ENGINE_STATE=" + shortTemp(t)}
}

const noDocker = "unix:///no/such/docker.sock"

// TestEngineOrder lets slipway search. Where the machine's own buildkitd runs, that one
// goes before all, and there is nothing to see.
func TestEngineOrder(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/run/buildkit/buildkitd.sock"); err == nil {
		t.Skip("LEFT OUT: a buildkitd runs on this machine, and every build would take it")
	}
	for name, c := range map[string]struct {
		env  func(*testing.T) []string
		says string
	}{
		"containerd store before our own": {
			func(t *testing.T) []string {
				return withOwn(t, dockertest.Shared(t, dockertest.ContainerdStore).Host)
			},
			"containerd store) at unix://",
		},
		"our own before the classic store": {
			func(t *testing.T) []string {
				return withOwn(t, dockertest.Shared(t, dockertest.CurrentClassic).Host)
			},
			"since the Docker engine that is running has the classic store, which cannot push",
		},
		"our own where there is no Docker": {
			func(t *testing.T) []string { return withOwn(t, noDocker) },
			"since no other engine is running",
		},
		"the classic store where there is nothing else": {
			func(t *testing.T) []string { return bare(t, dockertest.Shared(t, dockertest.CurrentClassic).Host) },
			"since no other engine is running or could be started",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := c.env(t)
			s := openShop(t, "order", sandbox.Options{}, "")
			s.build(append(env, "one")...).wait(exitDone).says(c.says)
			s.complete("one", true)
		})
	}
}

// Where there is none at all, the answer is what was tried and how to get one.
func TestNoEngine(t *testing.T) {
	t.Parallel()
	s := openShop(t, "none", sandbox.Options{}, "")
	s.build(append(bare(t, noDocker), "one")...).wait(exitOther).says(
		"no BuildKit engine: ", "no Docker engine answers at "+noDocker, "our own: no buildkitd beside slipway or in PATH",
		"start buildkitd and set BUILDKIT_HOST (or --engine)")
	s.build(append(bare(t, noDocker), "one", "--engine", "buildkitd")...).wait(exitOther).says("no buildkitd is running")
	if tags := s.tags(); len(tags) > 0 {
		t.Errorf("there are tags: %v", tags)
	}
}

// What an engine cannot do comes out before anything is built, with the engine that could.
func TestEngineCannot(t *testing.T) {
	t.Parallel()
	const (
		platforms = "platforms: [linux/amd64, linux/arm64]"
		contexts  = "additional_contexts: {base: ./b}"
		insecure  = "privileged: true"
		attested  = "provenance: true"
	)
	ownCould := "a buildkitd could (--engine own starts one where buildkitd and runc are installed)"
	dockerCould := ", and so could a Docker engine with the containerd store"
	for name, c := range map[string]struct {
		kind  dockertest.Kind
		key   string
		flags []string
		lacks string
		could string
	}{
		"platforms":         {dockertest.CurrentClassic, platforms, nil, "cannot build for several platforms at once", ownCould + dockerCould},
		"registry cache":    {dockertest.CurrentClassic, "", []string{"--cache", "registry"}, "cannot export a layer cache to a registry", ownCould + dockerCould},
		"attestations":      {dockertest.CurrentClassic, attested, nil, "cannot make attestations", ownCould + dockerCould},
		"all of it":         {dockertest.CurrentClassic, platforms + ", " + attested, []string{"--cache", "registry"}, "cannot build for several platforms at once, make attestations or export a layer cache to a registry", ownCould + dockerCould},
		"named contexts":    {dockertest.Classic, contexts, nil, "cannot read additional contexts", ownCould},
		"cache on S3":       {dockertest.ContainerdStore, "", []string{"--cache", "s3://stock/layers"}, "cannot keep a layer cache on S3", ownCould},
		"security.insecure": {dockertest.ContainerdStore, insecure, []string{"--allow", "security.insecure"}, "cannot allow security.insecure", ownCould},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			docker := dockertest.Shared(t, c.kind)
			s := openShop(t, "cannot", sandbox.Options{}, "")
			if c.key != "" {
				s.write("compose.yaml", "name: shop\nservices:\n  a: {build: {context: ./a, "+c.key+"}}\n  b: {build: ./b}\n")
			}
			args := append([]string{"BUILDKIT_HOST=", "DOCKER_HOST=" + docker.Host, "one", "--engine", "docker"}, c.flags...)
			r := s.build(args...).wait(exitUsage)
			r.says(c.lacks, c.could)
			if !strings.Contains(c.could, dockerCould) && strings.Contains(r.stderr.String(), dockerCould) {
				t.Errorf("no Docker engine could:\n%s", &r.stderr)
			}
			for _, repo := range s.aws.Repositories() {
				if got := s.aws.Digests(repo); len(got) > 0 {
					t.Errorf("%s was pushed: %v", repo, got)
				}
			}
		})
	}
}

// A search passes over what cannot do the build.
func TestSearchPassesOver(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/run/buildkit/buildkitd.sock"); err == nil {
		t.Skip("LEFT OUT: a buildkitd runs on this machine, and every build would take it")
	}
	docker := dockertest.Shared(t, dockertest.CurrentClassic)
	s := openShop(t, "over", sandbox.Options{}, "")
	s.write("compose.yaml", "name: shop\nservices:\n  a: {build: {context: ./a, platforms: [linux/amd64, linux/arm64]}}\n")
	s.build(append(bare(t, docker.Host), "one")...).wait(exitOther).says("cannot build for several platforms at once", "a buildkitd could")
	s.build(append(withOwn(t, docker.Host), "one")...).wait(exitDone).says("engine: own")
}

// In CodeBuild the Docker engine is still starting when the job begins.
func TestDockerStartsLate(t *testing.T) {
	t.Parallel()
	docker := dockertest.Start(t, dockertest.CurrentClassic)
	if err := docker.Stop(); err != nil {
		t.Fatal(err)
	}
	s := openShop(t, "late", sandbox.Options{}, "")
	g := newGate(t, false)
	s.proxy.set(&rule{match: on("DescribeRepositories", "", ""), treat: g.treat})
	r := s.startBuild(append(bare(t, docker.Host), "CODEBUILD_BUILD_ID=shop:1", "one")...)
	r.meets(g)
	g.release(true)
	// Started for certain after the job has begun, and most likely while it waits.
	if err := docker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wait(exitDone).says("classic store) at "+docker.Host, "no layer cache is kept")
	s.complete("one", true)
}

// TestDockerContainer reaches a buildkitd that runs as a container, as
// `docker buildx create` makes them.
func TestDockerContainer(t *testing.T) {
	t.Parallel()
	docker := dockertest.Shared(t, dockertest.Classic)
	cli, err := dockertest.CLI()
	if err != nil {
		t.Fatal(err)
	}
	docker.RunBuildkitd(t, "engine-of-test")
	s := openShop(t, "container", sandbox.Options{}, "")
	path := "PATH=" + filepath.Dir(cli) + ":" + os.Getenv("PATH")
	s.build("BUILDKIT_HOST=", path, "DOCKER_HOST="+docker.Host, "one", "--engine", "docker-container://engine-of-test").wait(exitDone).
		says("engine: buildkitd (", "at docker-container://engine-of-test, since named by --engine")
	s.complete("one", true)
}

// Several engines, each named for its platform.
func TestEnginesByPlatform(t *testing.T) {
	t.Parallel()
	first, second := enginetest.Shared(t), dockertest.Shared(t, dockertest.ContainerdStore)
	s := openShop(t, "platforms", sandbox.Options{}, "")
	s.write("compose.yaml", "name: shop\nservices:\n  a: {build: {context: ./a, platforms: [linux/amd64, linux/arm64]}}\n  b: {build: ./b}\n")
	several := "linux/amd64=" + first.Addr + ",linux/arm64=docker"
	r := s.build("BUILDKIT_HOST=", "DOCKER_HOST="+second.Host, "one", "--engine", several, "--output", "json").wait(exitDone)
	r.says("engine for linux/amd64: buildkitd (", "engine for linux/arm64: docker (")
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		if got := s.holdsFor(platform, "shop/a", "one", "file"); got != "a platforms" {
			t.Errorf("%s: %q", platform, got)
		}
	}
	if got := s.holds("shop/b", "one", "file"); got != "b platforms" {
		t.Errorf("b holds %q", got)
	}
	s.build("BUILDKIT_HOST=", "DOCKER_HOST="+second.Host, "one", "--engine", several).wait(exitDone).says("nothing to build")
	s.build("BUILDKIT_HOST=", "two", "--engine", "linux/amd64="+first.Addr).wait(exitUsage).
		says("services.a.build.platforms: no engine is named for linux/arm64")
}
