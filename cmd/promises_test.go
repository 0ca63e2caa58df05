package cmd

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

const definitions = "imagedefinitions.json"

// TestOneServiceFails is promise 1 for the build itself.
func TestOneServiceFails(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "fails", sandbox.Options{})
	s.write("c/Dockerfile", "FROM scratch\nCOPY file /file\nCOPY missing /missing\n")
	r := s.build("one").wait(exitBuild)
	r.says("COPY missing /missing", ">>>", "1 service failed to build: c; no tag was moved")
	if tags := s.tags(); len(tags) > 0 {
		t.Errorf("there are tags: %v", tags)
	}
	for _, component := range []string{"a", "b", "d"} {
		if got := s.aws.Digests("shop/" + component); len(got) != 1 {
			t.Errorf("%s was not built: %v", component, got)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, definitions)); err == nil || r.stdout.Len() > 0 {
		t.Errorf("there are definitions, or a result: %q", &r.stdout)
	}

	// The same with a revision in place: it stays as it is.
	s.writeProject("fails")
	s.build("one").wait(exitDone)
	before := s.tags()
	s.writeProject("fails again")
	s.write("c/Dockerfile", "FROM nosuchstage AS x\nFROM scratch\nCOPY --from=y /file /file\n")
	s.build("two").wait(exitBuild)
	same(t, s.tags(), before)
}

func TestFailFast(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "fast", sandbox.Options{})
	s.write("c/Dockerfile", "FROM scratch\nCOPY missing /missing\n")
	g := newGate(t, false)
	s.proxy.set(&rule{match: on("POST upload", "", ""), treat: g.treat})
	r := s.build("one", "--fail-fast").wait(exitBuild)
	r.says("1 service failed to build: c; not built: a, b, d; no tag was moved")
	for _, component := range componentNames {
		if got := s.aws.Digests("shop/" + component); len(got) != 0 {
			t.Errorf("%s was pushed: %v", component, got)
		}
	}
}

// TestImmutableRepository finds a repository whose latest cannot move before
// anything is made, built or pushed.
func TestImmutableRepository(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "immutable", sandbox.Options{})
	client := testkit.ECRClient(s.aws.URL(), "us-east-1")
	_, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{
		RepositoryName: aws.String("shop/b"), ImageTagMutability: types.ImageTagMutabilityImmutable,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.aws.ResetCalls()
	before := s.state()
	s.build("one").wait(exitAWS).says("aws ecr put-image-tag-mutability", "--repository-name shop/b", "IMMUTABLE_WITH_EXCLUSION")
	for _, action := range []string{"CreateRepository", "PutLifecyclePolicy", "PutImage"} {
		if n := s.calls("ecr", action); n > 0 {
			t.Errorf("%d calls of %s, want none", n, action)
		}
	}
	if n := s.calls("registry", ""); n > 0 {
		t.Errorf("%d calls of the registry, want none", n)
	}
	same(t, s.state(), before)
}

// TestSameDigestOnAFreshHost is promise 5: with the remote cache, a host that
// has nothing builds the same digests, whatever times its files have.
func TestSameDigestOnAFreshHost(t *testing.T) {
	t.Parallel()
	engine := enginetest.Start(t)
	s := newBuildFixtureOn(t, "fresh", sandbox.Options{}, engine.Addr)
	s.build("one", "--cache", "registry").wait(exitDone)
	one := s.tags()
	again := func(hash, cache string, at time.Time) map[string]string {
		engine.Empty(t)
		for _, component := range componentNames {
			if err := os.Chtimes(filepath.Join(s.dir, component, "file"), at, at); err != nil {
				t.Fatal(err)
			}
		}
		s.build(hash, "--cache", cache, "--rebuild").wait(exitDone)
		return s.tags()
	}
	two := again("two", "registry", time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC))
	for _, component := range componentNames {
		if repo := "shop/" + component; two[repo+":two"] != one[repo+":one"] {
			t.Errorf("%s is %s, was %s", component, two[repo+":two"], one[repo+":one"])
		}
	}
	// Without the cache, the times do make a difference: it was the cache.
	three := again("three", "none", time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC))
	if three["shop/a:three"] == one["shop/a:one"] {
		t.Error("the digest is the same without the cache: this test proves nothing")
	}
}

// TestSameHashAgain reuses a revision, and gives another name to what came out
// differently.
func TestSameHashAgain(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "again", sandbox.Options{})
	first := s.build("one").wait(exitDone)
	before := s.state()
	s.aws.ResetCalls()
	second := s.build("one").wait(exitDone)
	second.says("nothing to build")
	same(t, s.state(), before)
	if first.stdout.String() != second.stdout.String() || first.stdout.Len() == 0 {
		t.Errorf("the result was\n%sand is\n%s", &first.stdout, &second.stdout)
	}
	for _, action := range []string{"GetAuthorizationToken", "PutImage", "PutLifecyclePolicy", "BatchDeleteImage"} {
		if n := s.calls("ecr", action); n > 0 {
			t.Errorf("%d calls of %s, want none", n, action)
		}
	}
	if n := s.calls("registry", ""); n > 0 {
		t.Errorf("%d calls of the registry, want none", n)
	}

	s.write("b/file", "something else")
	third := s.build("one", "--rebuild").wait(exitDone)
	third.says("this one is one.2")
	s.complete("one.2", true)
	after := s.tags()
	for _, component := range componentNames {
		repo := "shop/" + component
		if after[repo+":one"] != before[repo+":one"] {
			t.Errorf("%s:one moved from %s to %s", repo, before[repo+":one"], after[repo+":one"])
		}
		if changed := after[repo+":one.2"] != after[repo+":one"]; changed != (component == "b") {
			t.Errorf("%s: one is %s, one.2 is %s", repo, after[repo+":one"], after[repo+":one.2"])
		}
	}
	s.defines("one.2")
}

// defines checks that the definitions name a revision's images.
func (s *buildFixture) defines(name string) {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, definitions))
	if err != nil {
		s.t.Fatal(err)
	}
	var got []struct{ Name, ImageURI string }
	if err := json.Unmarshal(data, &got); err != nil || len(got) != len(componentNames) {
		s.t.Fatalf("%s has %d images, %v, want %d:\n%s", definitions, len(got), err, len(componentNames), data)
	}
	for i, component := range componentNames {
		if want := s.proxy.host() + "/shop/" + component + ":" + name; got[i].Name != component || got[i].ImageURI != want {
			s.t.Errorf("%s[%d] is %+v, want %s with %s", definitions, i, got[i], component, want)
		}
	}
}

// TestSubset builds one service: the others' latest images join its revision.
func TestSubset(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "subset", sandbox.Options{})
	s.build("one", "b").wait(exitUsage).says("services.a", "no latest image")
	if tags := s.tags(); len(tags) > 0 {
		t.Errorf("there are tags: %v", tags)
	}
	s.build("one").wait(exitDone)
	one := s.tags()
	s.writeProject("subset, all changed")
	s.aws.ResetCalls()
	s.build("two", "b").wait(exitDone)
	s.complete("two", true)
	s.defines("two")
	for _, component := range componentNames {
		repo := "shop/" + component
		if changed := s.tags()[repo+":two"] != one[repo+":one"]; changed != (component == "b") {
			t.Errorf("%s: changed: %v", repo, changed)
		}
	}
	for _, c := range s.aws.Calls() {
		if c.Service == "registry" && strings.HasPrefix(c.Action, "PUT") && c.Repository != "shop/b" {
			t.Errorf("%s in %s", c.Action, c.Repository)
		}
	}
}

// TestTwoBuildsAtOnce lets two builds of different hashes race: both are about
// to move latest everywhere when the first of them may, in any order.
func TestTwoBuildsAtOnce(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "racer one", sandbox.Options{})
	other := s.secondCopy("racer two")
	for round := range 4 {
		names := []string{fmt.Sprint("one-", round), fmt.Sprint("two-", round)}
		s.writeProject(names[0])
		other.writeProject(names[1])
		s.proxy.set(&rule{match: on("PutImage", "", "latest"), times: 2 * len(componentNames), treat: together(2 * len(componentNames))})
		one, two := s.startBuild(names[0]), other.startBuild(names[1])
		one.wait(exitDone)
		two.wait(exitDone)
		tags := s.tags()
		winner := names[0]
		if tags["shop/a:latest"] == tags["shop/a:"+names[1]] {
			winner = names[1]
		}
		for _, name := range names {
			s.complete(name, name == winner)
		}
		s.defines(names[0])
		other.defines(names[1])
	}
}

// together holds requests until there are n, and then lets them go in any
// order. If one never comes, the others go on after a while.
func together(n int) treatment {
	var here sync.WaitGroup
	here.Add(n)
	all := make(chan struct{})
	go func() {
		here.Wait()
		close(all)
	}()
	return func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
		here.Done()
		select {
		case <-all:
		case <-time.After(10 * time.Second):
		}
		<-time.After(rand.N(20 * time.Millisecond))
		forward(w)
	}
}
