package cmd

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/moby/client"

	"slipway/internal/dockertest"
	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// bare is an environment in which no engine can be started: PATH has no buildkitd.
func bare(t *testing.T, docker string) []string {
	return []string{"BUILDKIT_HOST=", "PATH=" + t.TempDir(), "DOCKER_HOST=" + docker}
}

// withOwn is one in which a managed engine can be, at the price of a directory.
func withOwn(t *testing.T, docker string) []string {
	t.Helper()
	enginetest.Require(t)
	return []string{"BUILDKIT_HOST=", toolsPath(t), "DOCKER_HOST=" + docker, "SLIPWAY_ENGINE_STATE=" + testkit.ShortDir(t)}
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
			s := newBuildFixtureOn(t, "order", sandbox.Options{}, "")
			s.build(append(env, "one")...).wait(exitDone).says(c.says)
			s.complete("one", true)
		})
	}
}

// Where there is none at all, the answer is what was tried and how to get one.
func TestNoEngine(t *testing.T) {
	t.Parallel()
	s := newBuildFixtureOn(t, "none", sandbox.Options{}, "")
	s.build(append(bare(t, noDocker), "one")...).wait(exitOther).says(
		"no BuildKit engine: ", "no Docker engine answers at "+noDocker, "managed engine: no buildkitd next to slipway or in PATH",
		"start buildkitd and set BUILDKIT_HOST (or --engine)")
	s.build(append(bare(t, noDocker), "one", "--engine", "buildkitd")...).wait(exitOther).says("no buildkitd is running")
	// Something was to be built for certain: without an engine, nothing was made for it.
	if got := s.aws.Repositories(); len(got) > 0 {
		t.Errorf("there are repositories: %v", got)
	}
	s.build(append(bare(t, noDocker), "CODEBUILD_BUILD_ID=shop:1", "DOCKER_HOST=tcp://127.0.0.1:1", "one", "--engine", "buildkitd")...).wait(exitOther).says("switch on privileged mode")
}

// A revision that was built for another platform is not the same one, though no service
// names any.
func TestRevisionOfAnotherPlatform(t *testing.T) {
	t.Parallel()
	addr := enginetest.Shared(t).Addr
	s := newBuildFixtureOn(t, "another platform", sandbox.Options{}, "")
	arch := func(tag string) string {
		t.Helper()
		config, err := s.pull("linux/amd64", "shop/a", tag).ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		return config.Architecture
	}
	s.build("BUILDKIT_HOST=", "one", "--engine", "linux/arm64="+addr).wait(exitDone)
	if got := arch("one"); got != "arm64" {
		t.Fatalf("the engine named for arm64 built for %s", got)
	}
	s.build("BUILDKIT_HOST=", "one", "--engine", "linux/arm64="+addr).wait(exitDone).says("nothing to build")
	s.build("BUILDKIT_HOST="+addr, "one").wait(exitDone).says("one names other images already", "this one is one.2")
	if got := arch("one.2"); got != runtime.GOARCH {
		t.Errorf("the engine of this host built for %s", got)
	}
	s.build("BUILDKIT_HOST="+addr, "one").wait(exitDone).says("nothing to build", "a: unchanged since one.2")
}

// An interrupt while an engine is waited for is one.
func TestInterruptedSearch(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(testkit.ShortDir(t), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	came := make(chan net.Conn, 100)
	go testkit.Accept(l, func(conn net.Conn) { came <- conn }) // it gets no answer
	for _, args := range [][]string{{"one"}, {"one", "--engine", "docker"}} {
		s := newBuildFixtureOn(t, "interrupted", sandbox.Options{}, "")
		r := s.startBuild(append(bare(t, "unix://"+socket), args...)...)
		<-came
		r.signal(syscall.SIGTERM)
		r.wait(exitInterrupted).says("interrupted while looking for an engine")
		if strings.Contains(r.stderr.String(), "start buildkitd") {
			t.Errorf("there is advice that nobody asked for:\n%s", &r.stderr)
		}
		for len(came) > 0 {
			<-came
		}
	}
}

// A Docker engine keeps nothing of a build that its user sees.
func TestNothingIsListed(t *testing.T) {
	t.Parallel()
	for _, kind := range dockertest.Kinds {
		docker := dockertest.Start(t, kind)
		s := newBuildFixtureOn(t, "listed", sandbox.Options{}, "")
		s.build(append(bare(t, docker.Host), "one", "--engine", "docker")...).wait(exitDone)
		list, err := docker.Docker(t).ImageList(t.Context(), client.ImageListOptions{All: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, image := range list.Items {
			t.Errorf("%s: the engine has image %s %q %q, want none", kind, image.ID, image.RepoTags, image.RepoDigests)
		}
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
	ownCould := "a buildkitd could (--engine managed starts one where buildkitd and runc are installed)"
	dockerCould := ", and so could a Docker engine with the containerd store"
	for name, c := range map[string]struct {
		kind  dockertest.Kind
		key   string
		flags []string
		lacks string
		could string
	}{
		"platforms":         {dockertest.CurrentClassic, platforms, nil, "cannot build for several platforms at once", ownCould + dockerCould},
		"registry cache":    {dockertest.CurrentClassic, "", []string{"--cache", "registry"}, "cannot export a layer cache", ownCould + dockerCould},
		"another cache":     {dockertest.CurrentClassic, "cache_to: [\"type=local,dest=cache\"]", nil, "cannot export a layer cache", ownCould + dockerCould},
		"cache read on S3":  {dockertest.ContainerdStore, "cache_from: [\"type=s3,bucket=stock,region=us-east-1,name=a\"]", []string{"--allow", "s3=s3://stock"}, "cannot keep a layer cache on S3", ownCould},
		"attestations":      {dockertest.CurrentClassic, attested, nil, "cannot make attestations", ownCould + dockerCould},
		"all of it":         {dockertest.CurrentClassic, platforms + ", " + attested, []string{"--cache", "registry"}, "cannot build for several platforms at once, make attestations or export a layer cache", ownCould + dockerCould},
		"named contexts":    {dockertest.Classic, contexts, nil, "cannot read additional contexts", ownCould},
		"cache on S3":       {dockertest.ContainerdStore, "", []string{"--cache", "s3://stock/layers"}, "cannot keep a layer cache on S3", ownCould},
		"security.insecure": {dockertest.ContainerdStore, insecure, []string{"--allow", "security.insecure"}, "cannot allow security.insecure", ownCould},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			docker := dockertest.Shared(t, c.kind)
			s := newBuildFixtureOn(t, "cannot", sandbox.Options{}, "")
			if c.key != "" {
				s.write("compose.yaml", "name: shop\nservices:\n  a: {build: {context: ./a, "+c.key+"}}\n  b: {build: ./b}\n")
			}
			args := append([]string{"BUILDKIT_HOST=", "DOCKER_HOST=" + docker.Host, "one", "--engine", "docker"}, c.flags...)
			r := s.build(args...).wait(exitUsage)
			r.says(c.lacks, c.could)
			if !strings.Contains(c.could, dockerCould) && strings.Contains(r.stderr.String(), dockerCould) {
				t.Errorf("no Docker engine could:\n%s", &r.stderr)
			}
			// Exit code 2 says that nothing was touched.
			if got := s.aws.Repositories(); len(got) > 0 {
				t.Errorf("there are repositories: %v", got)
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
	s := newBuildFixtureOn(t, "over", sandbox.Options{}, "")
	s.write("compose.yaml", "name: shop\nservices:\n  a: {build: {context: ./a, platforms: [linux/amd64, linux/arm64]}}\n")
	s.build(append(bare(t, docker.Host), "one")...).wait(exitOther).says("cannot build for several platforms at once", "a buildkitd could")
	s.build(append(withOwn(t, docker.Host), "one")...).wait(exitDone).says("engine: managed")
}

// In CodeBuild the Docker engine is still starting when the job begins.
func TestDockerStartsLate(t *testing.T) {
	t.Parallel()
	docker := dockertest.Start(t, dockertest.CurrentClassic)
	if err := docker.Stop(); err != nil {
		t.Fatal(err)
	}
	s := newBuildFixtureOn(t, "late", sandbox.Options{}, "")
	g := newGate(t, false)
	s.proxy.set(&rule{match: on("DescribeRepositories", "", ""), treat: g.treat})
	r := s.startBuild(append(bare(t, docker.Host), "CODEBUILD_BUILD_ID=shop:1", "one")...)
	r.meets(g)
	g.release(true)
	// Started for certain after the job has begun, and most likely while it waits.
	if err := docker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wait(exitDone).says("classic store) at "+docker.Host, "layer cache: inline")
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
	s := newBuildFixtureOn(t, "container", sandbox.Options{}, "")
	path := "PATH=" + filepath.Dir(cli) + ":" + os.Getenv("PATH")
	s.build("BUILDKIT_HOST=", path, "DOCKER_HOST="+docker.Host, "one", "--engine", "docker-container://engine-of-test").wait(exitDone).
		says("engine: buildkitd (", "at docker-container://engine-of-test, since named by --engine")
	s.complete("one", true)
}

// Several engines, each named for its platform.
func TestEnginesByPlatform(t *testing.T) {
	t.Parallel()
	first, second := enginetest.Shared(t), dockertest.Shared(t, dockertest.ContainerdStore)
	s := newBuildFixtureOn(t, "platforms", sandbox.Options{}, "")
	s.write("compose.yaml", "name: shop\nservices:\n  a: {build: {context: ./a, platforms: [linux/amd64, linux/arm64]}}\n  b: {build: ./b}\n")
	several := "linux/amd64=" + first.Addr + ",linux/arm64=docker"
	r := s.build("BUILDKIT_HOST=", "DOCKER_HOST="+second.Host, "one", "--engine", several, "--output", "json").wait(exitDone)
	r.says("engine for linux/amd64: buildkitd (", "engine for linux/arm64: docker (")
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		if got := s.holdsFor(platform, "shop/a", "one", "file"); got != "a platforms" {
			t.Errorf("%s: shop/a holds %q, want a platforms", platform, got)
		}
	}
	if got := s.holds("shop/b", "one", "file"); got != "b platforms" {
		t.Errorf("b holds %q, want b platforms", got)
	}
	s.build("BUILDKIT_HOST=", "DOCKER_HOST="+second.Host, "one", "--engine", several).wait(exitDone).says("nothing to build")
	s.build("BUILDKIT_HOST=", "two", "--engine", "linux/amd64="+first.Addr).wait(exitUsage).
		says("services.a.build.platforms: no engine is named for linux/arm64")
}
