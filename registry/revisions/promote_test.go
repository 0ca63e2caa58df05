package revisions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/registry"
)

// running tells every repository's running digest.
func (s *registryFixture) running(digests []string) map[registry.Ref]string {
	out := map[registry.Ref]string{}
	for i, repo := range s.repos {
		if digests[i] != "" {
			out[repo.Ref] = digests[i]
		}
	}
	return out
}

// extraDigests hands what runs to a snapshot.
func extraDigests(running map[registry.Ref]string) map[registry.Ref][]string {
	out := map[registry.Ref][]string{}
	for ref, d := range running {
		out[ref] = []string{d}
	}
	return out
}

// promotion finds a revision, as a rollback does.
func (s *registryFixture) promotion(clients registry.Clients, text string, running map[registry.Ref]string) Promotion {
	s.t.Helper()
	found, err := Find(s.t.Context(), clients, s.repos, text, extraDigests(running), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return Promotion{Snapshot: found.Snapshot, Name: found.Name, Images: found.Images, Running: running}
}

func (s *registryFixture) promoted(text string, running map[registry.Ref]string) Published {
	s.t.Helper()
	out, err := Promote(s.t.Context(), s.clients, s.promotion(s.clients, text, running))
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// history publishes revisions one after the other, an hour apart.
func (s *registryFixture) history(names ...string) map[string][]string {
	s.t.Helper()
	return s.historyOf(s.images, names...)
}

// stillHistory is a history in which the last repository always gets the same
// image.
func (s *registryFixture) stillHistory(names ...string) map[string][]string {
	s.t.Helper()
	still := image(s.t)
	return s.historyOf(func() []v1.Image {
		images := s.images()
		images[len(images)-1] = still
		return images
	}, names...)
}

func (s *registryFixture) historyOf(images func() []v1.Image, names ...string) map[string][]string {
	s.t.Helper()
	out := map[string][]string{}
	for _, name := range names {
		out[name] = s.push(images())
		s.published(s.publication(name, out[name]))
		s.server.Advance(time.Hour)
	}
	return out
}

func TestPromote(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	h := s.history("one", "two", "three")
	s.server.ResetCalls()
	got := s.promoted("one", s.running(h["three"]))
	s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: h["one"], registry.TagPrevious: h["three"]})
	var moved []string
	for _, c := range got.Changes {
		moved = append(moved, c.Repository.Name+":"+c.Tag)
	}
	want := []string{"shop/a:previous-latest", "shop/b:previous-latest", "shop/c:previous-latest", "shop/a:latest", "shop/b:latest", "shop/c:latest"}
	if got.Name != "one" || got.SupersededBy != "" || !slices.Equal(moved, want) {
		t.Errorf("promoted %q, overtaken by %q, moved %v", got.Name, got.SupersededBy, moved)
	}
}

// TestPromoteBudget counts the calls of a rollback before it deploys, the
// looking for the revision included: four for each repository.
func TestPromoteBudget(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c", "shop/d")
	h := s.history("one", "two", "three")
	s.server.ResetCalls()
	s.promoted("one", s.running(h["three"]))
	counts := map[string]int{}
	for _, c := range s.server.Calls() {
		counts[c.Repository+" "+c.Action]++
	}
	want := map[string]int{}
	for _, repo := range s.repos {
		want[repo.Name+" BatchGetImage"], want[repo.Name+" PutImage"], want[repo.Name+" DescribeImages"] = 1, 2, 1
	}
	if !maps.Equal(counts, want) {
		t.Errorf("calls %v, want %v", counts, want)
	}
}

// TestPromoteCallsDeployedWhatRuns has a different answer in each repository to
// what runs.
func TestPromoteCallsDeployedWhatRuns(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/older", "shop/wanted", "shop/gone", "shop/unknown", "shop/same")
	h := s.history("one", "two", "three")
	s.move(4, registry.TagLatest, h["one"][4]) // latest is there already, something else runs
	gone := "sha256:" + strings.Repeat("0", 64)
	s.promoted("one", s.running([]string{h["two"][0], h["one"][1], gone, "", h["three"][4]}))
	for i, want := range []string{h["two"][0], h["two"][1], h["three"][2], h["three"][3], h["three"][4]} {
		// In shop/wanted, latest now protects what runs, and deployed stays.
		if got := s.server.Tags(s.repos[i].Name)[registry.TagPrevious]; got != want {
			t.Errorf("%s: deployed is on %s, want %s", s.repos[i].Name, got, want)
		}
	}
}

// TestPromoteConvergesAfterAKill cuts the wire for good at each PutImage, as
// the end of the process would, and runs again. What ran at first is deployed
// in the end.
func TestPromoteConvergesAfterAKill(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		for n := 1; n <= 6; n++ {
			t.Run(fmt.Sprintf("known %v, put %d", known, n), func(t *testing.T) {
				s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
				h := s.history("one", "two", "three")
				var running map[registry.Ref]string
				if known {
					running = s.running(h["three"])
				}
				p := s.promotion(s.clients, "one", running)
				puts, dead := 0, false
				var mu sync.Mutex
				s.transport.set(func(c ecrCall) failure {
					mu.Lock()
					defer mu.Unlock()
					if c.action == "PutImage" {
						puts++
					}
					dead = dead || puts >= n
					if dead {
						return cut
					}
					return fine
				})
				if _, err := Promote(t.Context(), s.clients, p); err == nil {
					t.Fatal("no error")
				}
				s.transport.set(nil)
				s.promoted("one", running)
				s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: h["one"], registry.TagPrevious: h["three"]})
			})
		}
	}
}

// TestPromoteFailsAtEveryCall finds every tag where it was.
func TestPromoteFailsAtEveryCall(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	h := s.history("one", "two", "three")
	before := s.tags()
	for _, f := range []failure{refused, cut, lost} {
		for action, calls := range map[string]int{"PutImage": 6, "DescribeImages": 3} {
			for n := 1; n <= calls; n++ {
				p := s.promotion(s.clients, "one", s.running(h["three"]))
				s.transport.set(nth(action, n, f))
				_, err := Promote(t.Context(), s.clients, p)
				s.transport.set(nil)
				var failed *PublishError
				if !errors.As(err, &failed) || len(failed.Left)+len(failed.Unknown) > 0 {
					t.Errorf("%s %s %d: got %v, want a PublishError after which all tags are reverted", f, action, n, err)
				}
				s.wantState(before)
			}
		}
	}
	s.promoted("one", s.running(h["three"])) // withoutFailures, it goes through
}

func TestPromoteInterrupted(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	h := s.history("one", "two")
	before := s.tags()
	p := s.promotion(s.clients, "one", s.running(h["two"]))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.transport.set(func(c ecrCall) failure {
		if c.action == "PutImage" && c.tag == registry.TagLatest {
			cancel()
		}
		return fine
	})
	_, err := Promote(ctx, s.clients, p)
	s.transport.set(nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	s.wantState(before)
}

func TestPromoteWithoutAName(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	// A service of one revision and another of the other, as ECS may have run
	// them.
	mixed := []string{h["one"][0], h["two"][1]}
	found, err := FindDigests(t.Context(), s.clients, s.repos, s.running(mixed), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Promote(t.Context(), s.clients, Promotion{Snapshot: found.Snapshot, Name: found.Name, Images: found.Images})
	if err != nil || got.Name != "" || got.SupersededBy != "" {
		t.Errorf("promoted %q, overtaken by %q, %v", got.Name, got.SupersededBy, err)
	}
	s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: mixed, registry.TagPrevious: h["three"]})
}

func TestPromoteRefusesMistakes(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two")
	before := s.tags()
	for what, change := range map[string]func(*Promotion){
		"has no image sha256:0":                func(p *Promotion) { p.Images[1].Digest = "sha256:0" },
		"shop/a has two images":                func(p *Promotion) { p.Images[1] = p.Images[0] },
		"revision one of repository shop/b is": func(p *Promotion) { p.Images[1].Digest = h["two"][1] },
	} {
		p := s.promotion(s.clients, "one", nil)
		change(&p)
		_, err := Promote(t.Context(), s.clients, p)
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want %q", err, what)
		}
	}
	s.wantState(before)
}

// TestPromoteRace is two operators at once, of a project in which one service
// did not change for long: its image has the names of all revisions, that of a
// newer one too, which neither is after.
func TestPromoteRace(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/still")
	h := s.stillHistory("one", "two", "three")
	for round := range 12 {
		s.promoted("three", nil)
		names := []string{"one", "two"}
		ps := []Promotion{s.promotion(s.clients, "one", nil), s.promotion(s.clients, "two", nil)}
		s.transport.set(func(ecrCall) failure {
			<-time.After(rand.N(4 * time.Millisecond))
			return fine
		})
		var (
			wait sync.WaitGroup
			out  [2]Published
			errs [2]error
		)
		for i := range ps {
			wait.Go(func() { out[i], errs[i] = Promote(t.Context(), s.clients, ps[i]) })
		}
		wait.Wait()
		s.transport.set(nil)
		at := s.wantOneLatest(s.publication("one", h["one"]), s.publication("two", h["two"]))
		if err := errors.Join(errs[:]...); err != nil || t.Failed() {
			t.Fatalf("round %d: %v", round, err)
		}
		if out[at].SupersededBy != "" || out[1-at].SupersededBy != "" && out[1-at].SupersededBy != names[at] {
			t.Errorf("round %d: latest is on %s, overtaken by %q and %q", round, names[at], out[0].SupersededBy, out[1].SupersededBy)
		}
	}
}

// pushIndex pushes an image of two platforms, with its manifests.
func (s *registryFixture) pushIndex(repo int, tags ...string) (digest string, children []string) {
	s.t.Helper()
	return s.pushIndexOf(repo, []v1.Image{image(s.t), image(s.t)}, tags...)
}

func (s *registryFixture) pushIndexOf(repo int, images []v1.Image, tags ...string) (digest string, children []string) {
	s.t.Helper()
	var add []mutate.IndexAddendum
	for i, img := range images {
		d, err := img.Digest()
		if err != nil {
			s.t.Fatal(err)
		}
		children = append(children, d.String())
		platform := v1.Platform{OS: "linux", Architecture: []string{"amd64", "arm64"}[i]}
		add = append(add, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	index := mutate.AppendManifests(empty.Index, add...)
	d, err := index.Digest()
	if err != nil {
		s.t.Fatal(err)
	}
	uri := s.repos[repo].URI
	err = remote.WriteIndex(uri.Digest(d.String()), index, remote.WithAuth(s.auth))
	for _, tag := range tags {
		err = errors.Join(err, remote.Tag(uri.Tag(tag), index, remote.WithAuth(s.auth)))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return d.String(), children
}

// TestPlatformsCount has ECS report the manifest of one platform, and tags the
// index.
func TestPlatformsCount(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	old, oldChildren := s.pushIndex(0, "old", registry.TagLatest)
	s.server.Advance(time.Hour)
	next, nextChildren := s.pushIndex(0, "next")

	snapshot, err := ReadTags(t.Context(), s.clients, s.repos, nil, map[registry.Ref][]string{s.repos[0].Ref: {"next", oldChildren[1]}})
	if err != nil {
		t.Fatal(err)
	}
	ref := s.repos[0].Ref
	latest, _ := snapshot.ByTag(ref, registry.TagLatest)
	if got := Platforms(latest); !slices.Equal(got, append([]string{old}, oldChildren...)) {
		t.Errorf("platforms %v", got)
	}
	for digest, want := range map[string]string{oldChildren[1]: old, old: old, nextChildren[0]: next, "": "", "sha256:0": ""} {
		if got, ok := snapshot.TaggedParent(ref, digest); got.Digest != want || ok != (want != "") {
			t.Errorf("covering %s is %s, %v, want %s", digest, got.Digest, ok, want)
		}
	}

	s.promoted("next", s.running(oldChildren[1:]))
	s.wantTags(map[string][]string{"old": {old}, "next": {next}, registry.TagLatest: {next}, registry.TagPrevious: {old}})
	// Now a platform of next runs, and next is wanted: nothing to protect but
	// by latest.
	s.promoted("next", s.running(nextChildren[:1]))
	s.wantTags(map[string][]string{"old": {old}, "next": {next}, registry.TagLatest: {next}, registry.TagPrevious: {old}})

	p := s.publication("third", s.push(s.images()))
	p.Running = s.running(nextChildren[1:])
	s.published(p)
	if got := s.server.Tags("shop/a")[registry.TagPrevious]; got != next {
		t.Errorf("publishing calls %s deployed, want the index %s", got, next)
	}
}

// TestCoveringPrefersLatest has two indexes share a manifest: the one that
// latest stands on counts, else that of deployed.
func TestCoveringPrefersLatest(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	shared := image(t)
	one, children := s.pushIndexOf(0, []v1.Image{shared, image(t)}, "one")
	two, _ := s.pushIndexOf(0, []v1.Image{shared, image(t)}, "two")
	other := s.pushOne(0, image(t))
	for _, tag := range []string{registry.TagLatest, registry.TagPrevious} {
		for _, want := range []string{one, two} {
			s.move(0, registry.TagLatest, other)
			s.move(0, tag, want)
			snapshot, err := ReadTags(t.Context(), s.clients, s.repos, nil, map[registry.Ref][]string{s.repos[0].Ref: {"one", "two"}})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := snapshot.TaggedParent(s.repos[0].Ref, children[0]); got.Digest != want {
				t.Errorf("with %s on %s, %s is covered by %s", tag, want, children[0], got.Digest)
			}
		}
	}
}
