package cmd

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/internal/dockertest"
	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// engineCase is one way to an engine.
type engineCase struct {
	// env and flags lead slipway there.
	env, flags []string
	// says is how slipway names the engine.
	says string
	// old is set if its frontend knows no named contexts.
	old bool
}

func (s engineCase) build(hash string, flags ...string) []string {
	out := append([]string{"BUILDKIT_HOST="}, s.env...)
	return append(append(append(out, hash), s.flags...), flags...)
}

// engineCases are all ways to engines, by name; each starts what it needs.
var engineCases = map[string]func(*testing.T) engineCase{
	"buildkitd at BUILDKIT_HOST": func(t *testing.T) engineCase {
		return engineCase{env: []string{"BUILDKIT_HOST=" + enginetest.Shared(t).Addr}, says: "engine: buildkitd (", flags: nil}
	},
	"buildkitd over TLS": func(t *testing.T) engineCase {
		e := enginetest.Start(t, enginetest.TLS())
		return engineCase{flags: []string{"--engine", e.TLSAddr, "--engine-tls", e.CertDir}, says: "at " + e.TLSAddr + ", since named by --engine"}
	},
	"managed": func(t *testing.T) engineCase {
		enginetest.Require(t)
		return engineCase{env: []string{toolsPath(t)}, flags: []string{"--engine", "managed", "--engine-state", testkit.ShortDir(t)}, says: "engine: managed ("}
	},
	"docker, classic":         func(t *testing.T) engineCase { return dockerEngineCase(t, dockertest.Classic) },
	"docker, current classic": func(t *testing.T) engineCase { return dockerEngineCase(t, dockertest.CurrentClassic) },
	"docker, containerd":      func(t *testing.T) engineCase { return dockerEngineCase(t, dockertest.ContainerdStore) },
	"docker over TLS": func(t *testing.T) engineCase {
		e := dockertest.Start(t, dockertest.ContainerdStore, dockertest.TLS())
		return engineCase{
			env:   []string{"DOCKER_HOST=" + e.TLSHost, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + e.CertDir},
			flags: []string{"--engine", "docker"}, says: "containerd store) at " + e.TLSHost,
		}
	},
	"kube-pod://": func(t *testing.T) engineCase {
		path := wayOut(t, "kubectl", "--context=prod --namespace=ci exec --container=engine -i buildkitd-0 -- buildctl dial-stdio")
		return engineCase{env: []string{path}, flags: []string{"--engine", "kube-pod://buildkitd-0?context=prod&namespace=ci&container=engine"}, says: "at kube-pod://buildkitd-0"}
	},
	"ssh://": func(t *testing.T) engineCase {
		path := wayOut(t, "ssh", "-l builder -p 2222 -- far.example buildctl --addr unix:///run/b.sock dial-stdio")
		return engineCase{env: []string{path}, flags: []string{"--engine", "ssh://builder@far.example:2222/run/b.sock"}, says: "at ssh://builder@far.example:2222"}
	},
	"pool": func(t *testing.T) engineCase {
		kubectl := wayOut(t, "kubectl", "--context=prod --namespace=ci exec --container=engine -i buildkitd-0 -- buildctl dial-stdio")
		ssh := wayOut(t, "ssh", "-- far.example buildctl dial-stdio")
		docker := wayOut(t, "docker", "exec -i builder buildctl dial-stdio")
		path := strings.Join([]string{directory(ssh), directory(docker), strings.TrimPrefix(kubectl, "PATH=")}, ":")
		pool := strings.Join([]string{enginetest.Shared(t).Addr, "kube-pod://buildkitd-0?context=prod&namespace=ci&container=engine", "ssh://far.example", "docker-container://builder"}, "|")
		return engineCase{env: []string{"PATH=" + path}, flags: []string{"--engine", pool}, says: "at kube-pod://buildkitd-0?context=prod&namespace=ci&container=engine, since named by --engine"}
	},
}

// directory is the first one of a PATH.
func directory(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "PATH="), ":")
	return first
}

func dockerEngineCase(t *testing.T, kind dockertest.Kind) engineCase {
	e := dockertest.Shared(t, kind)
	store := "classic store) at "
	if kind.Snapshotter() {
		store = "containerd store) at "
	}
	return engineCase{
		env: []string{"DOCKER_HOST=" + e.Host}, flags: []string{"--engine", "docker"}, says: store + e.Host,
		old: kind == dockertest.Classic,
	}
}

func toolsDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../.tools/bin")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func toolsPath(t *testing.T) string { return "PATH=" + toolsDir(t) + ":" + os.Getenv("PATH") }

// wayOut is a PATH with a program that stands for one which reaches another machine: it
// wants just these arguments, and runs BuildKit's own end of the connection here.
func wayOut(t *testing.T, program, arguments string) string {
	t.Helper()
	addr := enginetest.Shared(t).Addr
	buildctl := filepath.Join(toolsDir(t), "buildctl")
	if _, err := os.Stat(buildctl); err != nil {
		t.Fatalf("%v (`make test` builds it)", err)
	}
	dir := t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\n[ \"$*\" = %q ] || { echo \"%s: called with $*\" >&2; exit 1; }\nexec %s --addr %s dial-stdio\n", arguments, program, buildctl, addr)
	if err := os.WriteFile(filepath.Join(dir, program), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

// newEngineFixture returns a project whose services use what engines differ in: steps that run, several
// stages and, but for old ones, the image of another service.
func newEngineFixture(t *testing.T, seed string, s engineCase) *buildFixture {
	t.Helper()
	out := newBuildFixtureOn(t, seed, sandbox.Options{}, "")
	out.env = append(out.env, "SLIPWAY_ALLOW=network.host")
	program, err := testkit.Probe()
	if err != nil {
		t.Fatal(err)
	}
	if err := newECSSandbox(out.aws, out.proxy.host()).pushImage(t.Context(), "base", "1", false, nil); err != nil {
		t.Fatal(err)
	}
	out.write("c/Dockerfile", out.fromBase("COPY file /file\n"))
	compose := "name: shop\nservices:\n  a: {build: ./a}\n  b: {build: {context: ./b, network: host, args: {GREETING: hello}}}\n  c: {build: ./c}\n"
	last := "  d: {build: {context: ./d, additional_contexts: {base: \"service:a\"}}}\n"
	if s.old {
		last = "  d: {build: ./d}\n"
	} else {
		out.write("d/Dockerfile", "FROM base AS base2\nFROM scratch\nCOPY --from=base2 /file /from-a\nCOPY file /file\n")
	}
	out.write("compose.yaml", compose+last)
	out.write("b/probe", program)
	out.write("b/Dockerfile", "FROM scratch AS run\nARG GREETING\nENV GREETING=$GREETING\nCOPY --chmod=755 probe /probe\nRUN [\"/probe\",\"see\",\"env\",\"GREETING\",\"/greeting\"]\nFROM scratch\nCOPY --from=run /greeting /greeting\nCOPY file /file\n")
	return out
}

// holds reads a file of a pushed image.
func (s *buildFixture) holds(repository, tag, path string) string {
	s.t.Helper()
	return s.holdsFor("linux/amd64", repository, tag, path)
}

// holdsFor reads one of the image for a platform, which counts where there are several.
func (s *buildFixture) holdsFor(platform, repository, tag, path string) string {
	s.t.Helper()
	files := mutate.Extract(s.pull(platform, repository, tag))
	defer files.Close()
	for r := tar.NewReader(files); ; {
		h, err := r.Next()
		if err != nil {
			s.t.Fatalf("%s of %s: %v", path, repository, err)
		}
		if h.Name == path {
			text, err := io.ReadAll(r)
			if err != nil {
				s.t.Fatal(err)
			}
			return string(text)
		}
	}
}

// pull is a pushed image.
func (s *buildFixture) pull(platform, repository, tag string) v1.Image {
	s.t.Helper()
	p, err := v1.ParsePlatform(platform)
	if err != nil {
		s.t.Fatal(err)
	}
	ref, err := name.ParseReference(s.proxy.host() + "/" + repository + ":" + tag)
	if err != nil {
		s.t.Fatal(err)
	}
	login := newECSSandbox(s.aws, s.proxy.host()).login(s.t.Context())
	image, err := remote.Image(ref, remote.WithAuth(login), remote.WithPlatform(*p))
	if err != nil {
		s.t.Fatal(err)
	}
	return image
}

// TestEveryEngine has each engine keep the same promises.
func TestEveryEngine(t *testing.T) {
	t.Parallel()
	for name, light := range engineCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := light(t)
			s := newEngineFixture(t, "engine "+name, on)
			s.allOrNothing(on)
			s.build(on.build("one")...).wait(exitDone).says(on.says)
			s.complete("one", true)
			if got := s.holds("shop/b", "one", "greeting"); got != "hello" {
				t.Errorf("the step saw %q, want hello", got)
			}
			if !on.old {
				if got := s.holds("shop/d", "one", "from-a"); got != "a engine "+name {
					t.Errorf("the image of another service holds %q", got)
				}
			}
			s.build(on.build("one")...).wait(exitDone).says("nothing to build")
			s.oneChanges(on)
			s.compressed(on)
			s.examined(on)
		})
	}
}

// allOrNothing breaks one service: no tag appears.
func (s *buildFixture) allOrNothing(on engineCase) {
	s.t.Helper()
	s.write("c/Dockerfile", s.fromBase("COPY missing /missing\n"))
	s.build(on.build("none")...).wait(exitBuild).says("/missing", "not found", "no tag was moved")
	for tag := range s.tags() {
		if !strings.HasSuffix(tag, ":buildcache") && tag != "base:1" {
			s.t.Errorf("there is a tag %s", tag)
		}
	}
	s.write("c/Dockerfile", s.fromBase("COPY file /file\n"))
}

// fromBase is a Dockerfile whose base image lies in the registry, behind its login.
func (s *buildFixture) fromBase(steps string) string {
	return "FROM " + s.proxy.host() + "/base:1\n" + steps
}

// oneChanges changes one service: one digest is new, also when all are built once more,
// and nothing of the others is pushed.
func (s *buildFixture) oneChanges(on engineCase) {
	s.t.Helper()
	before := s.tags()
	s.write("c/file", "changed")
	s.aws.ResetCalls()
	s.build(on.build("two")...).wait(exitDone)
	after := s.tags()
	for _, component := range componentNames {
		repo := "shop/" + component
		if changed := after[repo+":two"] != before[repo+":one"]; changed != (component == "c") {
			s.t.Errorf("%s: %s became %s", repo, before[repo+":one"], after[repo+":two"])
		}
	}
	for _, c := range s.aws.Calls() {
		if c.Service == "registry" && c.Action == "PUT upload" && c.Repository != "shop/c" {
			s.t.Errorf("a blob was pushed to %s, where nothing changed", c.Repository)
		}
	}
	s.build(on.build("two", "--rebuild")...).wait(exitDone)
	same(s.t, s.tags(), after)
}

// compressed asks for zstd: all layers have it, and the same ones when built again.
func (s *buildFixture) compressed(on engineCase) {
	s.t.Helper()
	s.build(on.build("packed", "--compression", "zstd")...).wait(exitDone)
	before := s.tags()
	for _, component := range componentNames {
		m, err := s.pull("linux/amd64", "shop/"+component, "packed").Manifest()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, l := range m.Layers {
			if l.MediaType != types.OCILayerZStd {
				s.t.Errorf("%s has a layer of type %s", component, l.MediaType)
			}
		}
		if len(m.Layers) == 0 {
			s.t.Errorf("%s has no layer", component)
		}
	}
	s.build(on.build("packed", "--compression", "zstd", "--rebuild")...).wait(exitDone)
	same(s.t, s.tags(), before)
	// For what comes after this, latest is a revision of gzip again.
	s.build(on.build("two")...).wait(exitDone)
}

// examined has doctor look at the engine: it finds the one that build took, and the base
// image through it.
func (s *buildFixture) examined(on engineCase) {
	s.t.Helper()
	args := append(append([]string{"BUILDKIT_HOST="}, on.env...), "doctor", "--hash", "two")
	r := s.start(append(args, on.flags...)...).wait(exitDone)
	for _, line := range []string{`(?m)^ok +engine +.*(buildkitd|docker|managed) .*, since `, `(?m)^ok +base image +\S+/base:1 `} {
		if !regexp.MustCompile(line).Match(r.stdout.Bytes()) {
			s.t.Errorf("nothing matches %s in\n%s", line, &r.stdout)
		}
	}
}
