package revisions

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/registry"
)

// TestReconcilePicksTheNewest leaves latest on two revisions and lets the job
// of either one converges: both pick the one that was pushed last.
func TestReconcilePicksTheNewest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"aaa", "zzz"} {
		for _, mine := range []string{"first", "second"} {
			t.Run(name+" "+mine, func(t *testing.T) {
				s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
				first := s.push(s.images(), "mmm")
				s.server.Advance(time.Hour)
				second := s.push(s.images(), name)
				s.move(0, registry.TagLatest, first[0])
				s.move(1, registry.TagLatest, second[1])
				s.move(2, registry.TagLatest, first[2])

				p, own := s.publication("mmm", first), "mmm"
				if mine == "second" {
					p, own = s.publication(name, second), name
				}
				snapshot, err := p.readSnapshot(t.Context(), s.clients)
				if err != nil {
					t.Fatal(err)
				}
				out := Published{Name: own, Snapshot: snapshot}
				err = p.reconcile(t.Context(), s.clients, &out)
				overtaken := out.SupersededBy
				want := map[string]string{"first": name, "second": ""}[mine]
				if err != nil || overtaken != want {
					t.Errorf("overtaken by %q, %v, want %q", overtaken, err, want)
				}
				s.wantTags(map[string][]string{"mmm": first, name: second, registry.TagLatest: second})
			})
		}
	}
}

// TestReconcileWantsCompleteRevisions keeps latest off a revision that lacks an
// image, however new it is.
func TestReconcileWantsCompleteRevisions(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	first := s.push(s.images(), "first")
	s.server.Advance(time.Hour)
	partial := s.pushOne(1, image(t), "partial", registry.TagLatest)
	s.move(0, registry.TagLatest, first[0])
	p := s.publication("first", first)
	snapshot, err := p.readSnapshot(t.Context(), s.clients)
	if err != nil {
		t.Fatal(err)
	}
	out := Published{Name: "first", Snapshot: snapshot}
	if err := p.reconcile(t.Context(), s.clients, &out); err != nil || out.SupersededBy != "" {
		t.Errorf("overtaken by %q, %v", out.SupersededBy, err)
	}
	s.wantTags(map[string][]string{"first": first, registry.TagLatest: first, "partial": {"", partial}})
}

// TestReconcileIsNotFooledByExtraTags has a tag that both jobs move, and that
// stands everywhere on what latest points to: it names no revision.
func TestReconcileIsNotFooledByExtraTags(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	first := s.push(s.images(), "first")
	s.server.Advance(time.Hour)
	second := s.push(s.images(), "second")
	for tag := range map[string]bool{registry.TagLatest: true, "stable": true} {
		s.move(0, tag, first[0])
		s.move(1, tag, second[1])
	}
	p := s.publication("first", first)
	p.Images[0].Extra, p.Images[1].Extra = []string{"stable"}, []string{"stable"}
	snapshot, err := p.readSnapshot(t.Context(), s.clients)
	if err != nil {
		t.Fatal(err)
	}
	out := Published{Name: "first", Snapshot: snapshot}
	if err := p.reconcile(t.Context(), s.clients, &out); err != nil || out.SupersededBy != "second" {
		t.Errorf("overtaken by %q, %v, want second", out.SupersededBy, err)
	}
	s.wantTags(map[string][]string{"first": first, "second": second, registry.TagLatest: second, "stable": {first[0], second[1]}})
}

// TestReconcileGivesUp meets somebody who tears latest apart before every look.
func TestReconcileGivesUp(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	err := u.try(t.Context(), func(c ecrCall) failure {
		if c.action == "DescribeImages" && c.tag == registry.TagLatest && u.server.Tags("shop/a")["next"] != "" {
			u.move(0, registry.TagLatest, u.before["shop/a:older"])
		}
		return fine
	})
	var failed *PublishError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "other jobs keep moving latest") {
		t.Errorf("got %v, want a PublishError: other jobs keep moving latest", err)
	}
	for at := range u.tags() {
		if strings.HasSuffix(at, ":next") || strings.HasSuffix(at, ":v2") {
			t.Errorf("%s is still there", at)
		}
	}
}

// race publishes two revisions at once over a wire on which each request takes
// its own time, and returns what became of both.
func (s *registryFixture) race(a, b Publication) (out [2]Published, errs [2]error) {
	s.transport.set(func(ecrCall) failure {
		<-time.After(rand.N(4 * time.Millisecond))
		return fine
	})
	var wait sync.WaitGroup
	for i, p := range []Publication{a, b} {
		wait.Go(func() { out[i], errs[i] = Publish(s.t.Context(), s.clients, p) })
	}
	wait.Wait()
	s.transport.set(nil)
	return out, errs
}

// wantOneLatest checks that latest points to one of the revisions everywhere.
func (s *registryFixture) wantOneLatest(revisions ...Publication) int {
	s.t.Helper()
	for n, p := range revisions {
		all := true
		for i, repo := range s.repos {
			all = all && s.server.Tags(repo.Name)[registry.TagLatest] == p.Images[i].Digest
		}
		if all {
			return n
		}
	}
	s.t.Errorf("latest stands on a mixture: %v", s.tags())
	return -1
}

func TestRace(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	common := image(t) // a service that changes in neither
	for round := range 18 {
		one, two := s.images(), s.images()
		if round%2 == 0 {
			one[1], two[1] = common, common
		}
		names := [2]string{fmt.Sprintf("one-%d", round), fmt.Sprintf("two-%d", round)}
		var ps [2]Publication
		for i, images := range [][]v1.Image{one, two} {
			ps[i] = s.publication(names[i], s.push(images))
			if round%3 == 0 {
				s.extra(&ps[i], fmt.Sprintf("both-%d", round%2))
			}
		}
		if round%3 == 0 {
			s.mutable()
		}
		out, errs := s.race(ps[0], ps[1])
		for i, err := range errs {
			if err != nil || out[i].Name != names[i] {
				t.Fatalf("round %d: job %s: named %q, %v", round, names[i], out[i].Name, err)
			}
			for k, repo := range s.repos {
				if got := s.server.Tags(repo.Name)[names[i]]; got != ps[i].Images[k].Digest {
					t.Errorf("round %d: %s:%s stands on %q, want %v", round, repo.Name, names[i], got, ps[i].Images[k].Digest)
				}
			}
		}
		at := s.wantOneLatest(ps[:]...)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
		for i, o := range out {
			if o.SupersededBy != "" && (o.SupersededBy != names[1-i] || at == i) {
				t.Errorf("round %d: %s says it was overtaken by %q, latest stands on %s", round, names[i], o.SupersededBy, names[at])
			}
		}
		if out[at].SupersededBy != "" {
			t.Errorf("round %d: the winner says it was overtaken", round)
		}
	}
}

// TestRaceForOneName lets two jobs build one hash with different results. The
// repositories take each tag once, so that at most one set of digests gets a
// name; nobody gets a mixture.
func TestRaceForOneName(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	for round := range 8 {
		hash := fmt.Sprintf("hash-%d", round)
		one, two := s.publication(hash, s.push(s.images())), s.publication(hash, s.push(s.images()))
		out, errs := s.race(one, two)
		for i, p := range []Publication{one, two} {
			if errs[i] != nil {
				continue
			}
			for k, repo := range s.repos {
				if got := s.server.Tags(repo.Name)[out[i].Name]; got != p.Images[k].Digest {
					t.Errorf("round %d: %s:%s stands on %q, published was %s", round, repo.Name, out[i].Name, got, p.Images[k].Digest)
				}
			}
		}
		for i, err := range errs {
			var failed *PublishError
			if err != nil && (!errors.As(err, &failed) || len(failed.Left)+len(failed.Unknown) > 0) {
				t.Errorf("round %d: job %d: %v", round, i, err)
			}
		}
	}
}

// TestRaceWithAFailure lets one of two jobs fail at a tag. latest points to one
// revision all the same: on the other job's, or, where that one had already
// left latest to the one that then failed, on the one before.
func TestRaceWithAFailure(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	base := s.publication("base", s.push(s.images()))
	s.published(base)
	last := base
	for round := range 20 {
		good := s.publication(fmt.Sprintf("good-%d", round), s.push(s.images()))
		bad := s.publication(fmt.Sprintf("bad-%d", round), s.push(s.images()))
		victim := s.repos[round%len(s.repos)].Name
		tag := []string{bad.Variant(1), registry.TagPrevious, registry.TagLatest}[round%7%3]
		calm, broken := &flakyTransport{}, &flakyTransport{}
		var failed atomic.Bool
		slow := func() { <-time.After(rand.N(4 * time.Millisecond)) }
		calm.set(func(ecrCall) failure { slow(); return fine })
		broken.set(func(c ecrCall) failure {
			slow()
			if c.action != "PutImage" || c.repository != victim || c.tag != tag || failed.Swap(true) {
				return fine
			}
			return refused
		})
		var wait sync.WaitGroup
		var errGood, errBad error
		wait.Go(func() { _, errGood = Publish(t.Context(), s.over(calm), good) })
		wait.Go(func() { _, errBad = Publish(t.Context(), s.over(broken), bad) })
		wait.Wait()
		if errGood != nil {
			t.Errorf("round %d: the good job: %v", round, errGood)
		}
		// The bad job may have been lucky: deployed stood right already.
		want := []Publication{good, last, bad}
		if errBad != nil {
			want = want[:2]
		}
		at := s.wantOneLatest(want...)
		if t.Failed() {
			t.Fatalf("round %d: the bad job ended with %v", round, errBad)
		}
		last = want[at]
	}
}
