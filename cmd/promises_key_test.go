package cmd

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"google.golang.org/grpc/codes"

	"slipway/internal/dockertest"
	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// pushBase points a tag to a base image with a label.
func (s *buildFixture) pushBase(label string) {
	s.t.Helper()
	if err := newECSSandbox(s.aws, s.proxy.host()).pushImage(s.t.Context(), "base", "1", false, map[string]string{"base": label}); err != nil {
		s.t.Fatal(err)
	}
}

// baseOf returns the label of the base image that an image was built on.
func (s *buildFixture) baseOf(repository, tag string) string {
	s.t.Helper()
	config, err := s.pull("linux/amd64", repository, tag).ConfigFile()
	if err != nil {
		s.t.Fatal(err)
	}
	return config.Config.Labels["base"]
}

// hasInputs reports whether an image of a repository has a tag of inputs.
func (s *buildFixture) hasInputs(repository string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(s.inputTags())), func(tag string) bool {
		return strings.HasPrefix(tag, repository+":")
	})
}

// buildOnBase has b built on a base image. The repositories are there before: the
// registry of the base image is known by theirs.
func (s *buildFixture) buildOnBase(label string) {
	s.t.Helper()
	s.pushBase(label)
	client := testkit.ECRClient(s.aws.URL(), "us-east-1")
	for _, component := range componentNames {
		in := &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop/" + component)}
		if _, err := client.CreateRepository(s.t.Context(), in); err != nil {
			s.t.Fatal(err)
		}
	}
	s.write("b/Dockerfile", s.fromBase("COPY file /file\n"))
}

// newBaseFixture returns a project in which b is built on a base image, whose tag
// moves when its digest was read for the first time.
func newBaseFixture(t *testing.T, seed, engine string) *buildFixture {
	t.Helper()
	s := newBuildFixtureOn(t, seed, sandbox.Options{}, engine)
	s.buildOnBase("first")
	var once sync.Once
	s.proxy.set(&rule{match: on("HEAD manifest", "base", "1"), treat: func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
		answer := httptest.NewRecorder()
		forward(answer)
		if answer.Code == http.StatusOK { // with a login
			once.Do(func() { s.pushBase("second") })
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
	}})
	return s
}

// TestBaseMoves moves the tag of a base image between the key and the build: the
// image is built on the base image of the key, and again on the other one.
func TestBaseMoves(t *testing.T) {
	t.Parallel()
	s := newBaseFixture(t, "base moves", enginetest.Shared(t).Addr)
	s.build("one").wait(exitDone)
	if got := s.baseOf("shop/b", "one"); got != "first" {
		t.Errorf("b is built on the %s base image, want that of its key", got)
	}
	if !s.hasInputs("shop/b") {
		t.Error("b has no tag of inputs")
	}
	s.build(noEngine, "two").wait(exitOther).says("127.0.0.1:1")
	s.build("two").wait(exitDone).says("a: unchanged")
	if got := s.baseOf("shop/b", "two"); got != "second" {
		t.Errorf("b is built on the %s base image, want the second", got)
	}
	s.reuses("three")
}

// TestBaseMovesUnpinned does the same with an engine that ignores pinned digests: the
// image that it built is not known by the key.
func TestBaseMovesUnpinned(t *testing.T) {
	t.Parallel()
	s := newBaseFixture(t, "base moves unpinned", "")
	old := append(bare(t, dockertest.Shared(t, dockertest.Classic).Host), "one", "--engine", "docker")
	s.build(old...).wait(exitDone)
	if got := s.baseOf("shop/b", "one"); got != "second" {
		t.Errorf("b is built on the %s base image, want the second: this test proves nothing", got)
	}
	if s.hasInputs("shop/b") || !s.hasInputs("shop/a") {
		t.Errorf("the tags of inputs are %v, want none of b", s.inputTags())
	}
	s.build(noEngine, "two").wait(exitOther).says("127.0.0.1:1")
	s.build(append(bare(t, dockertest.Shared(t, dockertest.Classic).Host), "two", "--engine", "docker")...).wait(exitDone).says("a: unchanged")
	if got := s.baseOf("shop/b", "two"); got != "second" {
		t.Errorf("b is built on the %s base image, want the second", got)
	}
	s.reuses("three")
}

// TestEngineOfAnotherPlatform builds all components where the engine turns out to
// have another platform than the keys that were found, and reuses those of its own.
func TestEngineOfAnotherPlatform(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "another platform", sandbox.Options{})
	s.build("one").wait(exitDone)
	other := "BUILDKIT_HOST=" + enginetest.Start(t, enginetest.Platform("linux/arm64")).Addr
	s.write("b/file", "b changed")
	s.build(other, "two").wait(exitDone)
	s.complete("two", true)
	s.built("two", "arm64")
	s.content("two", map[string]string{"a": "a another platform", "b": "b changed"})
	s.build(other, "three").wait(exitDone).says("a: unchanged since two", "b: unchanged since two")
	s.complete("three", true)
	s.built("three", "arm64")
	s.build("four").wait(exitDone).says("a: unchanged since one")
	s.built("four", "amd64")
	s.content("four", map[string]string{"b": "b changed"})
}

// built checks the architecture of all images of a revision.
func (s *buildFixture) built(revision, architecture string) {
	s.t.Helper()
	for _, component := range componentNames {
		config, err := s.pull("linux/"+architecture, "shop/"+component, revision).ConfigFile()
		if err != nil {
			s.t.Fatal(err)
		}
		if config.Architecture != architecture {
			s.t.Errorf("shop/%s:%s is for %s, want %s", component, revision, config.Architecture, architecture)
		}
	}
}

// TestReuseInPlainImmutable builds into repositories in which no tag can move: that
// needs --no-latest, and other images get other tags.
func TestReuseInPlainImmutable(t *testing.T) {
	t.Parallel()
	engine := enginetest.Start(t)
	s := newBuildFixtureOn(t, "plain immutable", sandbox.Options{}, engine.Addr)
	for _, component := range componentNames {
		_, err := testkit.ECRClient(s.aws.URL(), "us-east-1").CreateRepository(t.Context(), &ecr.CreateRepositoryInput{
			RepositoryName: aws.String("shop/" + component), ImageTagMutability: types.ImageTagMutabilityImmutable,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.build("one").wait(exitAWS).says("is IMMUTABLE, so latest")
	s.build("one", "--no-latest").wait(exitDone)
	first := s.inputTags()
	if len(first) != len(componentNames) {
		t.Fatalf("the tags of inputs are %v, want one for each component", first)
	}
	one := s.tags()
	for range 2 {
		s.reuses("one", "--no-latest")
		same(t, s.tags(), one)
	}

	s.write("b/file", "b changed")
	s.build("one", "--no-latest").wait(exitDone).says("this one is one.2", "a: unchanged")
	s.content("one", map[string]string{"b": "b plain immutable"})
	s.content("one.2", map[string]string{"a": "a plain immutable", "b": "b changed"})
	two := s.tags()
	s.reuses("one", "--no-latest")
	same(t, s.tags(), two)
	second := s.inputTags()
	if len(second) != len(componentNames)+1 {
		t.Errorf("the tags of inputs are %v, want one more than %v", second, first)
	}

	var tag string
	for name := range second {
		if _, ok := first[name]; !ok {
			tag = name // that of what b is now
		}
	}
	for i, next := range []string{".2", ".3"} {
		engine.Empty(t)
		s.touch(time.Date(2026, 11, 21, 6, i, 0, 0, time.UTC))
		hash := fmt.Sprint("again", i)
		s.build(hash, "--no-latest", "--rebuild").wait(exitDone)
		tags := s.inputTags()
		if got, want := tags[tag+next], s.tags()["shop/b:"+hash]; got != want || got == tags[tag] {
			t.Errorf("%s%s points to %q, want %s; %s to %s", tag, next, got, want, tag, tags[tag])
		}
	}
	s.reuses("last", "--no-latest")
	if tags := s.tags(); tags["shop/b:last"] != tags["shop/b:again1"] {
		t.Errorf("shop/b:last points to %s, want the image that was built last", tags["shop/b:last"])
	}
}

// engineProxy stands in front of an engine.
type engineProxy struct {
	addr string
	// refused counts the calls that were answered with an error.
	refused atomic.Int32
}

// newEngineProxy returns a proxy that answers each call of a method of an engine
// with an error.
func newEngineProxy(t *testing.T, engine, method string) *engineProxy {
	t.Helper()
	socket := strings.TrimPrefix(engine, "unix://")
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport: &http.Transport{Protocols: &protocols, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	p := &engineProxy{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/"+method) {
			forward.ServeHTTP(w, r)
			return
		}
		p.refused.Add(1)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", strconv.Itoa(int(codes.Internal)))
		w.Header().Set("Grpc-Message", "broken by the test")
	}))
	server.Config.Protocols = &protocols
	server.Start()
	t.Cleanup(server.Close)
	p.addr = "tcp://" + server.Listener.Addr().String()
	return p
}

// TestConfirmationFails breaks what confirms the inputs of built images: the build
// succeeds, and an image without a tag of inputs is built again.
func TestConfirmationFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method string // of the engine, called after the images are built
		named  []string
	}{
		"configuration": {"ResolveSourceMeta", []string{"a", "c", "d"}},
		"engine":        {"Ping", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newBuildFixture(t, "confirmation "+name, sandbox.Options{})
			s.buildOnBase("only")
			proxy := newEngineProxy(t, enginetest.Shared(t).Addr, test.method)
			s.build("BUILDKIT_HOST="+proxy.addr, "one").wait(exitDone)
			s.complete("one", true)
			if proxy.refused.Load() == 0 {
				t.Errorf("%s was not called: this test proves nothing", test.method)
			}
			for _, component := range componentNames {
				if got, want := s.hasInputs("shop/"+component), slices.Contains(test.named, component); got != want {
					t.Errorf("%s has a tag of inputs: %v, want %v", component, got, want)
				}
			}
			s.build(noEngine, "two").wait(exitOther).says("127.0.0.1:1")
			s.build("two").wait(exitDone)
			s.content("two", map[string]string{"b": "b confirmation " + name})
			s.reuses("three")
		})
	}
}
