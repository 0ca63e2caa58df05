package revisions

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"slipway/internal/testkit"
	"slipway/registry"
)

// unchanged is a revision whose images are those that latest points to, with the tags
// as they were read before.
func unchanged(t *testing.T, s *registryFixture, hash string, digests []string) Publication {
	t.Helper()
	p := s.publication(hash, digests)
	before, err := ReadTags(t.Context(), s.clients, s.repos, p.Variant, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Snapshot = before
	return p
}

// TestPublishUnchanged publishes images that latest points to already. The tags are not
// read again, and latest is looked at while the new tag is put: each repository's
// PutImage is answered only after all DescribeImages have been sent.
func TestPublishUnchanged(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	digests := s.push(s.images())
	s.published(s.publication("one", digests))
	p := unchanged(t, s, "two", digests)

	var looked sync.WaitGroup
	looked.Add(len(s.repos))
	s.server.ResetCalls()
	s.transport.set(func(c ecrCall) failure {
		switch c.action {
		case "DescribeImages":
			looked.Done()
		case "PutImage":
			looked.Wait()
		}
		return fine
	})
	got := s.published(p)
	if got.Name != "two" || got.SupersededBy != "" || len(got.Changes) != 2 || len(got.Pushed) != 2 {
		t.Errorf("published %q, superseded by %q, changes %v, pushed %v", got.Name, got.SupersededBy, got.Changes, got.Pushed)
	}
	s.wantTags(map[string][]string{"one": digests, "two": digests, "latest": digests})
	for action, want := range map[string]int{"BatchGetImage": 0, "PutImage": 2, "DescribeImages": 2} {
		testkit.WantECRCalls(t, s.server, action, want)
	}
}

// TestPublishUnchangedKnowsServices moves the tags of a service by the tags that were
// read before, these among them.
func TestPublishUnchangedKnowsServices(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	digests, old := s.push(s.images()), s.push(s.images())
	s.published(s.publication("old", old))
	s.published(s.publication("one", digests))
	ref, live := s.repos[0].Ref, registry.LiveTag("shop", "web")
	s.move(0, live, old[0])
	p := s.publication("two", digests)
	before, err := ReadTags(t.Context(), s.clients, s.repos, p.Variant, map[registry.Ref][]string{ref: {live, registry.PreviousOf(live)}})
	if err != nil {
		t.Fatal(err)
	}
	p.Snapshot, p.Live = before, Live{}
	p.Live.Set(ref, live, digests[0])
	s.server.ResetCalls()
	s.published(p)
	testkit.WantECRCalls(t, s.server, "BatchGetImage", 0)
	if got := s.server.Tags("shop/a"); got[live] != digests[0] || got[registry.PreviousOf(live)] != old[0] || got["two"] != digests[0] {
		t.Errorf("the tags are %v, want %s on %s, and the one before on %s", got, live, digests[0], old[0])
	}
}

// TestPublishUnchangedBesideAnother moves latest after the tags were read: another job
// has published meanwhile, and the revision says so.
func TestPublishUnchangedBesideAnother(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	digests := s.push(s.images())
	s.published(s.publication("one", digests))
	p := unchanged(t, s, "two", digests)
	other := s.push(s.images())
	s.published(s.publication("three", other))
	if got := s.published(p); got.Name != "two" || got.SupersededBy != "three" {
		t.Errorf("published %q, superseded by %q, want two, three", got.Name, got.SupersededBy)
	}
	s.wantTags(map[string][]string{"one": digests, "two": digests, "three": other, "latest": other, "previous-latest": digests})
}

// TestPublishReadsAgain gives a publication tags that do not say all that it must know.
func TestPublishReadsAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*registryFixture, *Publication){
		"an image pushed since": func(s *registryFixture, p *Publication) {
			p.Images[0].Digest = s.pushOne(0, image(s.t))
		},
		"a running image that was not read": func(s *registryFixture, p *Publication) {
			p.Running = s.running(s.push(s.images(), "other"))
		},
		"tags of a service that were not read": func(s *registryFixture, p *Publication) {
			p.Live = Live{}
			p.Live.Set(s.repos[0].Ref, registry.LiveTag("shop", "web"), p.Images[0].Digest)
		},
		"an extra tag":     func(_ *registryFixture, p *Publication) { p.Images[0].Extra = []string{"v2"} },
		"a tag for inputs": func(_ *registryFixture, p *Publication) { p.Images[0].Inputs = InputsTag("1234") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRegistryFixture(t, "shop/a", "shop/b")
			digests := s.push(s.images())
			s.published(s.publication("one", digests))
			p := unchanged(t, s, "two", digests)
			change(s, &p)
			s.server.ResetCalls()
			got := s.published(p)
			testkit.WantECRCalls(t, s.server, "BatchGetImage", len(s.repos))
			if got.Snapshot == p.Snapshot || !slices.ContainsFunc(got.Changes, func(c Change) bool { return c.Tag == "two" }) {
				t.Errorf("published %v from the tags of before", got.Changes)
			}
		})
	}
}

// TestPublishPutsAtOnce gives the images of eight services a new name: the names and
// records go out together, each answered only when all have been sent.
func TestPublishPutsAtOnce(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprintf("shop/s%d", i))
	}
	s := newRegistryFixture(t, names...)
	digests := s.push(s.images())
	s.published(s.recorded("one", digests))
	p := s.recorded("two", digests)
	p.Snapshot = unchanged(t, s, "two", digests).Snapshot

	var sent sync.WaitGroup
	sent.Add(2*len(names) + 1) // the newest record is one of them
	s.server.ResetCalls()
	s.transport.set(func(c ecrCall) failure {
		if c.action == "PutImage" {
			sent.Done()
			sent.Wait()
		}
		return fine
	})
	if got := s.published(p); len(got.Changes) != 2*len(names)+1 {
		t.Errorf("published %d changes, want %d", len(got.Changes), 2*len(names)+1)
	}
	testkit.WantECRCalls(t, s.server, "PutImage", 2*len(names)+1)
	for i, digest := range digests {
		s.wantRecord(i, "two", digest)
	}
}
