package cmd

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/dockertest"
	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/registry"
)

// noEngine is an engine that does not answer.
const noEngine = "BUILDKIT_HOST=tcp://127.0.0.1:1"

// inputTags is every tag that names inputs, with its digest.
func (s *buildFixture) inputTags() map[string]string {
	out := map[string]string{}
	for _, repo := range s.aws.Repositories() {
		for tag, digest := range s.aws.Tags(repo) {
			if strings.HasPrefix(tag, registry.TagInputs) {
				out[repo+":"+tag] = digest
			}
		}
	}
	return out
}

// reuses checks that a build takes every image that the files ask for from the
// registry, and builds none.
func (s *buildFixture) reuses(hash string, flags ...string) {
	s.t.Helper()
	s.build(append([]string{noEngine, hash}, flags...)...).wait(exitDone).says("nothing to build")
}

// content checks what the images of a revision hold.
func (s *buildFixture) content(revision string, want map[string]string) {
	s.t.Helper()
	for component, text := range want {
		if got := s.holds("shop/"+component, revision, "file"); got != text {
			s.t.Errorf("shop/%s:%s holds %q, want %q", component, revision, got, text)
		}
	}
}

// onInputs matches calls of PutImage for tags that name inputs.
func onInputs(q request) bool {
	return q.action == "PutImage" && strings.HasPrefix(q.tag, registry.TagInputs)
}

// onTag matches an action for a tag, or for all tags of inputs.
func onTag(action, tag string) func(request) bool {
	if tag == registry.TagInputs {
		return onInputs
	}
	return on(action, "", tag)
}

// removeTags removes tags, and with its last one an image, behind slipway's back.
func (s *buildFixture) removeTags(repo string, tags ...string) {
	s.t.Helper()
	var ids []types.ImageIdentifier
	for _, tag := range tags {
		ids = append(ids, types.ImageIdentifier{ImageTag: aws.String(tag)})
	}
	_, err := testkit.ECRClient(s.aws.URL(), "us-east-1").BatchDeleteImage(s.t.Context(), &ecr.BatchDeleteImageInput{
		RepositoryName: aws.String(repo), ImageIds: ids,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestNoEngineNeeded builds with an engine that does not answer: that is an
// error only where there is something to build.
func TestNoEngineNeeded(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "none needed", sandbox.Options{})
	s.build("one").wait(exitDone)
	s.reuses("two")
	s.complete("two", true)
	s.defines("two")
	before := s.state()
	s.write("b/file", "changed")
	s.build(noEngine, "three").wait(exitOther).says("127.0.0.1:1")
	s.write("b/file", "b none needed")
	same(t, s.state(), before)
}

// TestReuseOfSelected reuses the image of a selected service; those of the others
// stay what latest points to, whatever their files say.
func TestReuseOfSelected(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "selected", sandbox.Options{})
	s.build("one").wait(exitDone)
	s.write("b/file", "b changed")
	s.reuses("two", "a")
	s.complete("two", true)
	s.content("two", map[string]string{"a": "a selected", "b": "b selected"})
	s.build("three", "a", "b").wait(exitDone).says("a: unchanged since")
	s.content("three", map[string]string{"a": "a selected", "b": "b changed"})
	// The images of c and d were not looked at, and keep their tags of inputs.
	s.reuses("four")
}

// TestReuseWithoutLatest names inputs also where no other tag moves, and finds
// what such a build has made.
func TestReuseWithoutLatest(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "no latest", sandbox.Options{})
	s.build("one").wait(exitDone)
	moving := func() map[string]string {
		out := s.tags()
		maps.DeleteFunc(out, func(tag, _ string) bool {
			return !strings.HasSuffix(tag, ":latest") && !strings.HasSuffix(tag, ":previous-latest")
		})
		return out
	}
	before := moving()
	s.write("b/file", "b changed")
	s.build("two", "--no-latest").wait(exitDone).says("a: unchanged")
	same(t, moving(), before)
	s.reuses("three", "--no-latest")
	same(t, moving(), before)
	s.reuses("four")
	s.complete("four", true)
	s.content("four", map[string]string{"a": "a no latest", "b": "b changed"})
}

// TestRevertedCommit finds the images of files that are what they were before.
func TestRevertedCommit(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "first", sandbox.Options{})
	s.build("one").wait(exitDone)
	s.writeProject("second")
	s.build("two").wait(exitDone)
	s.writeProject("first")
	s.reuses("three")
	s.complete("three", true)
	s.defines("three")
	tags := s.tags()
	for _, component := range componentNames {
		repo := "shop/" + component
		if tags[repo+":three"] != tags[repo+":one"] || tags[repo+":previous-latest"] != tags[repo+":two"] {
			t.Errorf("%s: want three on the image of one, and deployed on that of two: %v", repo, tags)
		}
	}
}

// TestReuseInImmutable writes tags of inputs into repositories where no such tag
// can move: an image that was built again gets the next one.
func TestReuseInImmutable(t *testing.T) {
	t.Parallel()
	engine := enginetest.Start(t)
	s := newBuildFixtureOn(t, "immutable", sandbox.Options{}, engine.Addr)
	s.createImmutable()
	s.build("one").wait(exitDone)
	before := s.inputTags()
	if len(before) != len(componentNames) {
		t.Fatalf("the tags of inputs are %v, want one for each component", before)
	}
	s.reuses("two")
	engine.Empty(t)
	s.touch(time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC))
	s.build("three", "--rebuild").wait(exitDone)
	s.complete("three", true)
	if tags := s.tags(); tags["shop/a:three"] == tags["shop/a:one"] {
		t.Error("the digest is the same: this test proves nothing")
	}
	after := s.inputTags()
	for tag, digest := range before {
		if after[tag] != digest || after[tag+".2"] == "" || after[tag+".2"] == digest {
			t.Errorf("tag %s: before on %s, now %s and .2 on %s; want a new image in .2 only", tag, digest, after[tag], after[tag+".2"])
		}
	}
	s.reuses("four")
	if tags := s.tags(); tags["shop/a:four"] != tags["shop/a:three"] {
		t.Error("the image that was built first was reused, not the newer one")
	}
}

// createImmutable creates the repositories as README has them.
func (s *buildFixture) createImmutable() {
	s.t.Helper()
	var filters []types.ImageTagMutabilityExclusionFilter
	for _, tag := range []string{"latest", "previous-latest", "buildcache*"} {
		filters = append(filters, types.ImageTagMutabilityExclusionFilter{
			Filter: aws.String(tag), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		})
	}
	for _, component := range componentNames {
		_, err := testkit.ECRClient(s.aws.URL(), "us-east-1").CreateRepository(s.t.Context(), &ecr.CreateRepositoryInput{
			RepositoryName:     aws.String("shop/" + component),
			ImageTagMutability: types.ImageTagMutabilityImmutableWithExclusion, ImageTagMutabilityExclusionFilters: filters,
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// touch gives the files of all components another time, and with it images that
// are built from nothing another digest.
func (s *buildFixture) touch(at time.Time) {
	s.t.Helper()
	for _, component := range componentNames {
		if err := os.Chtimes(filepath.Join(s.dir, component, "file"), at, at); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestSameInputsAtOnce lets two jobs build other digests from the same inputs, and
// both write the tags of these at once into immutable repositories.
func TestSameInputsAtOnce(t *testing.T) {
	t.Parallel()
	s := newBuildFixtureOn(t, "at once", sandbox.Options{}, enginetest.Start(t).Addr)
	s.createImmutable()
	other := s.secondCopy("at once")
	other.touch(time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC))
	put := &rule{match: onInputs, treat: together(2 * len(componentNames))}
	s.proxy.set(put)
	one, two := s.startBuild("one"), other.startBuild("BUILDKIT_HOST="+enginetest.Start(t).Addr, "two")
	one.wait(exitDone)
	two.wait(exitDone)
	if got := s.proxy.count(put); got < 2*len(componentNames) {
		t.Errorf("%d tags of inputs were written at once, want %d", got, 2*len(componentNames))
	}
	tags := s.tags()
	if tags["shop/a:one"] == tags["shop/a:two"] {
		t.Error("the digests are the same: this test proves nothing")
	}
	s.complete("one", false)
	s.complete("two", false)
	s.proxy.set()
	s.reuses("three")
	s.complete("three", true)
	s.content("three", map[string]string{"a": "a at once", "d": "d at once"})
}

// TestArchivedInputs builds again what is archived under its inputs.
func TestArchivedInputs(t *testing.T) {
	t.Parallel()
	engine := enginetest.Start(t)
	s := newBuildFixtureOn(t, "archived", sandbox.Options{}, engine.Addr)
	s.build("one").wait(exitDone)
	old := s.tags()["shop/b:one"]
	s.write("b/file", "b changed")
	s.build("two").wait(exitDone)
	s.write("b/file", "b changed again")
	s.build("three").wait(exitDone)
	if err := s.aws.Archive("shop/b", old); err != nil {
		t.Fatal(err)
	}
	s.write("b/file", "b archived")
	engine.Empty(t) // ECR refuses to take the archived image itself
	s.touch(time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC))
	s.build("four").wait(exitDone).says("a: unchanged")
	s.complete("four", true)
	s.content("four", map[string]string{"b": "b archived"})
	s.reuses("five")
}

// TestInputsGone removes the image with the inputs after it was found: the error
// names it, and the same command builds it again.
func TestInputsGone(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "gone", sandbox.Options{})
	s.build("one").wait(exitDone)
	before := s.tags()["shop/a:latest"]
	s.write("b/file", "b changed")
	s.removeAt(on("BatchGetImage", "shop/a", ""), 1)
	s.build("two").wait(exitAWS).says("repository shop/a has no image " + before + " to tag")
	s.proxy.set()
	s.build("two").wait(exitDone).says("a: new")
	s.complete("two", true)
	s.content("two", map[string]string{"a": "a gone", "b": "b changed"})
	s.reuses("three")
}

// TestInputsGoneUnread removes it where nothing is built, when the tags are not read
// again. Its manifest may be put again with the revision's name before the record is
// refused that refers to it, or after. The next build puts all where it belongs.
func TestInputsGoneUnread(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "gone", sandbox.Options{})
	s.build("one").wait(exitDone)
	s.removeAt(on("PutImage", "shop/a", "two"), 0)
	s.build(noEngine, "two").wait(exitDone, exitAWS)
	s.proxy.set()
	s.build("two").wait(exitDone)
	s.complete("two", true)
	s.content("two", map[string]string{"a": "a gone"})
	s.reuses("three")
}

// removeAt removes all tags of shop/a, and with them its images, before a call is carried
// out for the first time after as many as skip. The records go first, since they keep
// their images.
func (s *buildFixture) removeAt(match func(request) bool, skip int) {
	var once sync.Once
	s.proxy.set(&rule{match: match, skip: skip, treat: func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
		once.Do(func() {
			records, others := []string{}, []string{}
			for tag := range s.aws.Tags("shop/a") {
				if registry.IsRecordTag(tag) {
					records = append(records, tag)
				} else {
					others = append(others, tag)
				}
			}
			s.removeTags("shop/a", records...)
			s.removeTags("shop/a", others...)
		})
		forward(w)
	}})
}

// TestChangedWhileBuilt gives no tag of inputs to an image whose files changed
// while it was built.
func TestChangedWhileBuilt(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "during", sandbox.Options{})
	g := newGate(t, false)
	s.proxy.set(&rule{match: on("POST upload", "shop/b", ""), treat: g.treat})
	r := s.startBuild("one")
	r.meets(g)
	s.write("b/file", "b changed")
	g.release(true)
	r.wait(exitDone).says("b changed while it was built; it is built again next time")
	s.proxy.set()
	for _, component := range componentNames {
		repo, named := "shop/"+component, false
		for tag := range s.inputTags() {
			named = named || strings.HasPrefix(tag, repo+":")
		}
		if named == (component == "b") {
			t.Errorf("%s has a tag of inputs: %v", repo, named)
		}
	}
	s.build(noEngine, "two").wait(exitOther).says("127.0.0.1:1")
	s.build("two").wait(exitDone).says("a: unchanged")
	s.content("two", map[string]string{"a": "a during", "b": "b changed"})
	s.reuses("three")
}

// TestReuseAfterUntrusted lets an untrusted build take the images of trusted ones,
// and no trusted build take one of an untrusted build.
func TestReuseAfterUntrusted(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "trusted", sandbox.Options{})
	s.build("one").wait(exitDone)
	before, inputs := s.tags(), s.inputTags()
	untrusted := func(args ...string) *process {
		t.Helper()
		i := slices.IndexFunc(args, func(a string) bool { return !strings.Contains(a, "=") })
		r := s.start(slices.Concat(args[:i], []string{"build", "--untrusted", "--project-name", "shop", "--hash"}, args[i:])...)
		return r.wait(exitDone)
	}
	untrusted(noEngine, "pull").says("nothing to build")
	same(t, s.inputTags(), inputs)
	s.write("b/file", "b of a stranger")
	untrusted("request")
	if len(s.inputTags()) != len(inputs)+1 {
		t.Errorf("the tags of inputs are %v, want one more than %v", s.inputTags(), inputs)
	}
	for tag := range s.inputTags() {
		if _, ok := inputs[tag]; !ok && !strings.HasPrefix(tag, "shop/b:in-pr-") {
			t.Errorf("an untrusted build wrote %s", tag)
		}
	}
	untrusted(noEngine, "again").says("nothing to build")
	s.build(noEngine, "two").wait(exitOther).says("127.0.0.1:1")
	for tag, digest := range before {
		if got := s.tags()[tag]; got != digest {
			t.Errorf("%s points to %s, want %s", tag, got, digest)
		}
	}
	s.build("two").wait(exitDone)
	s.complete("two", true)
	s.reuses("three")
}

// TestInputsOfOldVersion takes over repositories whose images have no tags of
// inputs: each is built once.
func TestInputsOfOldVersion(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "old version", sandbox.Options{})
	s.build("one").wait(exitDone)
	for tag := range s.inputTags() {
		repo, tag, _ := strings.Cut(tag, ":")
		s.removeTags(repo, tag)
	}
	r := s.build("two").wait(exitDone)
	if strings.Contains(r.stderr.String(), "unchanged since") {
		t.Errorf("an image without a tag of inputs was reused:\n%s", &r.stderr)
	}
	s.complete("two", true)
	s.reuses("three")
}

// TestReuseByPlatform finds images for several platforms and engines.
func TestReuseByPlatform(t *testing.T) {
	t.Parallel()
	first, second := enginetest.Shared(t), enginetest.Start(t)
	s := newBuildFixtureOn(t, "by platform", sandbox.Options{}, "")
	s.write("compose.yaml", "name: shop\nservices:\n  a: {build: {context: ./a, platforms: [linux/amd64, linux/arm64]}}\n  b: {build: ./b}\n")
	several := []string{"--engine", "linux/amd64=" + first.Addr + ",linux/arm64=" + second.Addr}
	dead := []string{"--engine", "linux/amd64=tcp://127.0.0.1:1,linux/arm64=tcp://127.0.0.1:1"}
	s.build(append([]string{"BUILDKIT_HOST=", "one"}, several...)...).wait(exitDone)
	s.build(append([]string{"BUILDKIT_HOST=", "two"}, dead...)...).wait(exitDone).says("nothing to build")
	s.write("b/file", "b changed")
	s.build(append([]string{"BUILDKIT_HOST=", "three"}, several...)...).wait(exitDone).says("a: unchanged since")
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		if got := s.holdsFor(platform, "shop/a", "three", "file"); got != "a by platform" {
			t.Errorf("%s: shop/a holds %q", platform, got)
		}
	}
	s.content("three", map[string]string{"b": "b changed"})
}

// TestReuseWithClassicStore keeps the digests of unchanged components, which the
// classic store would change.
func TestReuseWithClassicStore(t *testing.T) {
	t.Parallel()
	docker := dockertest.Shared(t, dockertest.CurrentClassic)
	s := newBuildFixtureOn(t, "classic", sandbox.Options{}, "")
	engine := bare(t, docker.Host)
	s.build(append(engine, "one", "--engine", "docker")...).wait(exitDone)
	s.write("b/file", "b changed")
	s.build(append(engine, "two", "--engine", "docker")...).wait(exitDone).says("a: unchanged since one")
	tags := s.tags()
	for _, component := range componentNames {
		repo := "shop/" + component
		if changed := tags[repo+":one"] != tags[repo+":two"]; changed != (component == "b") {
			t.Errorf("%s: changed: %v", repo, changed)
		}
	}
	s.build(append(bare(t, noDocker), "three")...).wait(exitDone).says("nothing to build")
}

// TestKilledAtInputs ends a job with SIGKILL while it writes the tags of inputs:
// each that is there stands for an image of just these inputs.
func TestKilledAtInputs(t *testing.T) {
	t.Parallel()
	calm := newBuildFixture(t, "kill inputs", sandbox.Options{})
	calm.build("one").wait(exitDone)
	calm.writeProject("kill inputs, next")
	calm.build("two").wait(exitDone)
	want, inputs := calm.state(), calm.inputTags()
	for name, c := range map[string]struct {
		action, tag string
		pass        int
		arrives     bool
	}{
		"between two pushes":                      {"PUT manifest", "", 1, true},
		"between two hashes":                      {"PutImage", "two", 2, true},
		"before the tags of inputs":               {"PutImage", registry.TagInputs, 0, false},
		"between tags of inputs":                  {"PutImage", registry.TagInputs, 2, false},
		"between tags of inputs, the rest arrive": {"PutImage", registry.TagInputs, 1, true},
		"between two latest":                      {"PutImage", "latest", 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newBuildFixture(t, "kill inputs", sandbox.Options{})
			s.build("one").wait(exitDone)
			s.writeProject("kill inputs, next")
			g := newGate(t, false)
			s.proxy.set(&rule{match: onTag(c.action, c.tag), skip: c.pass, treat: g.treat})
			r := s.startBuild("two")
			for range len(componentNames) - c.pass {
				r.meets(g)
			}
			r.signal(syscall.SIGKILL)
			r.wait(-1)
			g.release(c.arrives)
			s.proxy.set()
			for tag, digest := range s.inputTags() {
				if inputs[tag] != digest {
					t.Errorf("%s points to %s, want %q", tag, digest, inputs[tag])
				}
			}
			s.build("two").wait(exitDone)
			same(t, s.state(), want)
			same(t, s.inputTags(), inputs)
			s.reuses("three")
		})
	}
}
