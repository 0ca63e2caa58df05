package revisions

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"slipway/registry"
	"slipway/registry/manifests"
)

// archive moves images to where ECR does not hand them out.
func (s *registryFixture) archive(repo int, digests ...string) {
	s.t.Helper()
	for _, d := range digests {
		if err := s.server.Archive(s.repos[repo].Name, d); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestArchivedIsInNobodysWay archives what latest points to, what deployed
// points to, and what runs: a rollback goes through, and tells what deployed
// could not be put on.
func TestArchivedIsInNobodysWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		archive, running string
		deployed         string // the revision that it points to in the end
		unprotected      bool
	}{
		"latest, which runs": {"four", "four", "three", true},
		"latest":             {"four", "", "three", true},
		"deployed":           {"three", "four", "four", false},
		"deployed, and runs": {"three", "three", "three", false},
		"what runs":          {"two", "two", "three", true},
		"latest, two runs":   {"four", "two", "two", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRegistryFixture(t, "shop/a", "shop/b")
			h := s.history("one", "two", "three", "four")
			var running map[registry.Ref]string
			if c.running != "" {
				running = s.running(h[c.running])
			}
			s.archive(0, h[c.archive][0])
			out := s.promoted("one", running)
			a := s.server.Tags("shop/a")
			if a[registry.TagLatest] != h["one"][0] || a[registry.TagPrevious] != h[c.deployed][0] {
				t.Errorf("latest is on %s, deployed on %s, want %s and %s", a[registry.TagLatest], a[registry.TagPrevious], h["one"][0], h[c.deployed][0])
			}
			want := map[registry.Ref]string{}
			if c.unprotected {
				want[s.repos[0].Ref] = h[c.archive][0]
			}
			if !maps.Equal(out.Unprotected, want) {
				t.Errorf("unprotected %v, want %v", out.Unprotected, want)
			}
		})
	}
}

// TestArchivedAndWanted refuses what no task can pull, before anything is
// touched.
func TestArchivedAndWanted(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	p := s.promotion(s.clients, "one", s.running(h["three"]))
	s.archive(1, h["one"][1])
	before := s.tags()
	var archived *ArchivedError
	if _, err := Find(t.Context(), s.clients, s.repos, "one", nil, nil); !errors.As(err, &archived) {
		t.Errorf("by name: got %v", err)
	}
	if _, err := FindDigests(t.Context(), s.clients, s.repos, s.running(h["one"]), nil, nil); !errors.As(err, &archived) {
		t.Errorf("by digest: got %v", err)
	}
	// As a command looks again, after a person has answered.
	snapshot, err := ReadTags(t.Context(), s.clients, s.repos, nil, extraDigests(s.running(h["one"])))
	if err != nil {
		t.Fatal(err)
	}
	p.Snapshot = snapshot
	if _, err := Promote(t.Context(), s.clients, p); !errors.As(err, &archived) || len(archived.Images) != 1 || archived.Images[0].Image != h["one"][1] {
		t.Errorf("promoting: got %v, want an ArchivedError of %s", err, h["one"][1])
	}
	var unreadable *UnreadableError
	if _, err := ReadTags(t.Context(), s.clients, s.repos, variantOf("one"), nil); !errors.As(err, &unreadable) {
		t.Errorf("a name that a build would get: got %v", err)
	}
	s.wantState(before)
}

// TestArchivedStaysBehind fails after latest has left an archived image: the
// error says that it cannot go back, and so does a revert.
func TestArchivedStaysBehind(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	s.archive(0, h["three"][0])
	p := s.promotion(s.clients, "one", s.running(h["two"]))
	t.Run("nothing was moved off it", func(t *testing.T) {
		s.transport.set(func(c ecrCall) failure {
			if c.action == "PutImage" && c.repository == "shop/a" {
				return refused
			}
			return fine
		})
		_, err := Promote(t.Context(), s.clients, p)
		s.transport.set(nil)
		var failed *PublishError
		if !errors.As(err, &failed) || len(failed.Left)+len(failed.Unknown) != 0 {
			t.Errorf("got %v, want a PublishError after which all tags are reverted", err)
		}
	})
	t.Run("reverted steps", func(t *testing.T) {
		s.transport.set(nth("DescribeImages", 1, refused))
		_, err := Promote(t.Context(), s.clients, p)
		s.transport.set(nil)
		var failed *PublishError
		line := "shop/a:latest points to " + h["one"][0] + ", pointed to " + h["three"][0] + " before, which is archived"
		if !errors.As(err, &failed) || len(failed.Left) != 1 || len(failed.Unknown) != 0 || !strings.Contains(err.Error(), line) {
			t.Errorf("got %v, want a PublishError that leaves one tag: %s", err, line)
		}
		s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: {h["one"][0], h["three"][1]}, registry.TagPrevious: h["two"]})
	})
	t.Run("reverted", func(t *testing.T) {
		s := newRegistryFixture(t, "shop/a", "shop/b")
		h := s.history("one", "two", "three")
		s.archive(0, h["three"][0], h["two"][0]) // latest and deployed
		got := s.reverted(s.promoted("one", s.running(h["three"])))
		s.wantReverted(got, "shop/b:latest", "shop/b:previous-latest", "shop/a:latest kept (the image that it pointed to is archived)")
		s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: {h["one"][0], h["three"][1]}, registry.TagPrevious: h["two"]})
	})
	t.Run("another moved it since", func(t *testing.T) {
		s := newRegistryFixture(t, "shop/a")
		h := s.history("one", "two", "three")
		s.archive(0, h["three"][0])
		done := s.promoted("one", nil)
		s.move(0, registry.TagLatest, h["two"][0])
		got := s.reverted(done)
		s.wantReverted(got, "shop/a:latest kept (another job has moved it since)")
	})
}

// TestArchivedMovesAreSeen reads a tag that another job put on an image which
// was archived then: it is elsewhere, and stays.
func TestArchivedMovesAreSeen(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	h := s.history("one", "two", "three")
	p := s.promoted("one", s.running(h["three"]))
	byHand := s.pushOne(0, image(t), "by-hand")
	s.move(0, registry.TagPrevious, byHand)
	s.archive(0, byHand)
	if got := s.reverted(p); len(got.NotReverted) != 1 || got.NotReverted[0].Digest != byHand || got.NotReverted[0].Reason != MovedSince {
		t.Errorf("deployed: got %+v, want one tag not reverted: %s, moved since", got, byHand)
	}

	s = newRegistryFixture(t, "shop/a")
	h = s.history("one", "two", "three")
	p = s.promoted("one", s.running(h["three"]))
	s.move(0, registry.TagLatest, h["two"][0])
	s.archive(0, h["two"][0])
	got := s.reverted(p)
	if !slices.ContainsFunc(got.NotReverted, func(k NotReverted) bool {
		return k.Tag == registry.TagLatest && k.Digest == h["two"][0] && k.Reason == MovedSince
	}) {
		t.Errorf("got %+v, want that latest was moved since to %s", got, h["two"][0])
	}
}

// TestPublishPastTheArchive builds on: what latest, deployed and an extra tag
// pointed to is archived.
func TestPublishPastTheArchive(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	s.mutable()
	s.move(0, "stable", h["one"][0])
	s.archive(0, h["one"][0], h["two"][0], h["three"][0])
	four := s.push(s.images())
	p := s.publication("four", four)
	s.extra(&p, "stable")
	out := s.published(p)
	if want := (map[registry.Ref]string{s.repos[0].Ref: h["three"][0]}); !maps.Equal(out.Unprotected, want) {
		t.Errorf("unprotected %v, want %v", out.Unprotected, want)
	}
	s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], "four": four, "stable": four, registry.TagLatest: four, registry.TagPrevious: {h["two"][0], h["three"][1]}})

	// An image of the revision itself has to be there.
	s.archive(1, four[1])
	var archived *ArchivedError
	if _, err := Publish(t.Context(), s.clients, s.publication("five", four)); !errors.As(err, &archived) {
		t.Errorf("got %v, want an ArchivedError", err)
	}
}

// TestUnreadableForAnotherReason stays an error: what may be readable again
// soon is not to be left for good.
func TestUnreadableForAnotherReason(t *testing.T) {
	t.Parallel()
	u := &UnreadableError{Code: "KmsError", Image: registry.TagLatest}
	locate := func(client manifests.Lister) error {
		_, err := manifests.Answer{Unreadable: []*UnreadableError{u}}.Locate(t.Context(), client)
		return err
	}
	if err := locate(nil); err != error(u) {
		t.Errorf("got %v, want the error unchanged", err)
	}
	s := newRegistryFixture(t, "shop/a")
	u = &UnreadableError{Repository: s.repos[0], Code: "ImageInaccessible", Image: "nowhere"}
	if err := locate(s.clients("")); err != error(u) {
		t.Errorf("a digest that is not told: got %v", err)
	}
}
