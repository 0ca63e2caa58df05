package revisions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"slipway/internal/testkit"
	"slipway/registry"
)

const (
	runsNew = "a service runs the new image or is about to"
	runsOld = "it keeps the running image from expiring"
	moved   = "another job has moved it since"
)

func (s *registryFixture) revertedTo(p Published, a RolloutResult) Reverted {
	s.t.Helper()
	out, err := Revert(s.t.Context(), s.clients, p, a)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// protectedRefs fails the test if at any request neither latest nor deployed
// points to a digest.
func (s *registryFixture) protectsRunning(repo int, digest string, f func(ecrCall) failure) func(ecrCall) failure {
	return func(c ecrCall) failure {
		if at := s.server.Tags(s.repos[repo].Name); at[registry.TagLatest] != digest && at[registry.TagPrevious] != digest {
			s.t.Errorf("before %s of %s: neither latest nor deployed stands on what runs in %s", c.action, c.repository, s.repos[repo].Name)
		}
		return f(c)
	}
}

func allFine(ecrCall) failure { return fine }

// TestRevertWhatRunsNew has the service of shop/a run the new image, while that
// of shop/b failed.
func TestRevertWhatRunsNew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		running  string // what ran before, latest being on three and deployed on two
		wanted   string
		want     []string
		deployed string // in shop/a
		puts     int
	}{
		"latest ran":         {"three", "one", []string{"shop/a:latest", "shop/a:previous-latest kept (" + runsNew + ")", "shop/b:latest", "shop/b:previous-latest"}, "one", 4},
		"what deployed was":  {"three", "two", []string{"shop/a:latest", "shop/a:previous-latest", "shop/b:latest", "shop/b:previous-latest"}, "two", 4},
		"deployed ran":       {"two", "one", []string{"shop/a:latest", "shop/a:previous-latest kept (" + runsNew + ")", "shop/b:latest"}, "one", 3},
		"deployed is there":  {"two", "two", []string{"shop/a:latest", "shop/a:previous-latest kept (" + runsNew + ")", "shop/b:latest"}, "two", 2},
		"nobody knew":        {"", "one", []string{"shop/a:latest", "shop/a:previous-latest kept (" + runsNew + ")", "shop/b:latest", "shop/b:previous-latest"}, "one", 4},
		"the new one ran":    {"one", "one", []string{"shop/a:latest", "shop/a:previous-latest kept (" + runsNew + ")", "shop/b:latest"}, "one", 3},
		"another killed run": {"two", "three", []string{"shop/a:latest", "shop/a:previous-latest kept (" + runsNew + ")", "shop/b:latest"}, "three", 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRegistryFixture(t, "shop/a", "shop/b")
			h := s.history("one", "two", "three")
			var running map[registry.Ref]string
			back := "three"
			if c.running != "" {
				running = s.running(h[c.running])
			}
			if c.wanted == "three" {
				back = c.running
			}
			p := s.promoted(c.wanted, running)
			a := RolloutResult{Runs: map[registry.Ref]string{s.repos[0].Ref: h[c.wanted][0]}}
			s.transport.set(s.protectsRunning(0, h[c.wanted][0], allFine))
			got := s.revertedTo(p, a)
			counts := s.transport.seen()
			s.transport.set(nil)
			s.wantReverted(got, c.want...)
			after := map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: h[back], registry.TagPrevious: {h[c.deployed][0], h["two"][1]}}
			s.wantTags(after)
			if counts["PutImage"] != c.puts || counts["BatchGetImage"] > 4 || counts["DescribeImages"] != 2 {
				t.Errorf("calls %v", counts)
			}
			for _, k := range got.NotReverted {
				if k.Digest != s.tags()[k.Repository.Name+":"+k.Tag] {
					t.Errorf("says that %s stands on %s", k.Tag, k.Digest)
				}
			}
			s.revertedTo(p, a) // again
			s.wantTags(after)
		})
	}
}

// TestRevertWhatRunsNewAtFirst has no revision to go back to: latest goes,
// deployed comes.
func TestRevertWhatRunsNewAtFirst(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	one := s.push(s.images())
	p := s.published(s.publication("one", one))
	s.transport.set(s.protectsRunning(0, one[0], allFine))
	got := s.revertedTo(p, RolloutResult{Runs: map[registry.Ref]string{s.repos[0].Ref: one[0]}})
	s.transport.set(nil)
	s.wantReverted(got, "shop/a:latest removed", "shop/b:latest removed", "shop/a:previous-latest kept ("+runsNew+")")
	s.wantTags(map[string][]string{"one": one, registry.TagPrevious: {one[0], ""}})
}

// TestRevertWhatRunsIsAPlatform tells the manifest of one platform: the index
// is tagged.
func TestRevertWhatRunsIsAPlatform(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	old := s.pushOne(0, image(t), "old", registry.TagLatest)
	index, children := s.pushIndex(0, "new")
	got := s.revertedTo(s.promoted("new", nil), RolloutResult{Runs: map[registry.Ref]string{s.repos[0].Ref: children[1]}})
	s.wantReverted(got, "shop/a:latest", "shop/a:previous-latest kept ("+runsNew+")")
	s.wantTags(map[string][]string{"old": {old}, "new": {index}, registry.TagLatest: {old}, registry.TagPrevious: {index}})
}

// TestRevertOtherDigests tells digests that need no protecting tag: one
// unknown, and the one that latest goes back to.
func TestRevertOtherDigests(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	p := s.promoted("one", s.running(h["three"]))
	got := s.revertedTo(p, RolloutResult{Runs: map[registry.Ref]string{s.repos[0].Ref: "sha256:" + strings.Repeat("0", 64), s.repos[1].Ref: h["three"][1]}})
	s.wantReverted(got, "shop/a:latest", "shop/b:latest", "shop/b:previous-latest", "shop/a:previous-latest kept (the image that a service runs was not found in this repository)")
	s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: h["three"], registry.TagPrevious: {h["three"][0], h["two"][1]}})
}

// TestRevertKeepsAway touches nothing where another deployment took over, not
// even to agree with others, and asks nothing there.
func TestRevertKeepsAway(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	h := s.history("one", "two", "three")
	p := s.promoted("one", s.running(h["three"]))
	s.move(0, registry.TagLatest, h["two"][0])
	s.move(1, registry.TagLatest, h["two"][1])
	s.server.ResetCalls()
	ref := s.repos[0].Ref
	got := s.revertedTo(p, RolloutResult{Keep: map[registry.Ref]bool{ref: true}, Runs: map[registry.Ref]string{ref: h["one"][0]}})
	for _, c := range s.server.Calls() {
		if c.Repository == "shop/a" {
			t.Errorf("%s of shop/a", c.Action)
		}
	}
	if at := s.server.Tags("shop/a"); at[registry.TagLatest] != h["two"][0] || at[registry.TagPrevious] != h["three"][0] {
		t.Errorf("shop/a: %v", at)
	}
	if slices.ContainsFunc(got.Changes, func(c Change) bool { return c.Repository.Ref == ref }) || strings.Contains(got.brief(), "shop/a") {
		t.Errorf("tells of shop/a: %s", got.brief())
	}
	// All of them: nothing to do.
	p = s.promoted("one", s.running(h["three"]))
	keep := map[registry.Ref]bool{}
	for _, repo := range s.repos {
		keep[repo.Ref] = true
	}
	s.server.ResetCalls()
	s.wantReverted(s.revertedTo(p, RolloutResult{Keep: keep}))
	if n := len(s.server.Calls()); n != 0 {
		t.Errorf("%d calls, want 0", n)
	}
}

// TestRevertHoldsLatest cannot put deployed on what runs: latest stays, and is
// told.
func TestRevertHoldsLatest(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*registryFixture, map[string][]string, Published, RolloutResult) {
		s := newRegistryFixture(t, "shop/a", "shop/b")
		h := s.history("one", "two", "three")
		p := s.promoted("one", s.running(h["three"]))
		return s, h, p, RolloutResult{Runs: map[registry.Ref]string{s.repos[0].Ref: h["one"][0]}}
	}
	t.Run("another job moved deployed", func(t *testing.T) {
		s, h, p, a := start(t)
		s.move(0, registry.TagPrevious, h["two"][0])
		got := s.revertedTo(p, a)
		s.wantReverted(got, "shop/b:latest", "shop/b:previous-latest", "shop/a:previous-latest kept ("+moved+")", "shop/a:latest kept ("+runsNew+")")
		s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: {h["one"][0], h["three"][1]}, registry.TagPrevious: h["two"]})
	})
	t.Run("refused", func(t *testing.T) {
		s, h, p, a := start(t)
		s.transport.set(func(c ecrCall) failure {
			if c.action == "PutImage" && c.repository == "shop/a" && c.tag == registry.TagPrevious {
				return refused
			}
			return fine
		})
		got, err := Revert(t.Context(), s.clients, p, a)
		s.transport.set(nil)
		var failed *RevertError
		if !errors.As(err, &failed) || len(failed.Left) != 2 || len(failed.Unknown) != 0 ||
			!strings.Contains(err.Error(), "shop/a:latest points to "+h["one"][0]+", pointed to "+h["three"][0]+" before") ||
			!strings.Contains(err.Error(), "shop/a:previous-latest points to "+h["three"][0]+", pointed to "+h["two"][0]+" before") {
			t.Errorf("got %v, want an error that lists latest and deployed of shop/a", err)
		}
		s.wantReverted(got, "shop/b:latest", "shop/b:previous-latest")
		s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: {h["one"][0], h["three"][1]}, registry.TagPrevious: {h["three"][0], h["two"][1]}})
	})
	t.Run("refused, and others are at work", func(t *testing.T) {
		s, h, p, a := start(t)
		s.move(1, registry.TagLatest, h["two"][1])
		s.transport.set(s.protectsRunning(0, h["one"][0], func(c ecrCall) failure {
			if c.action == "PutImage" && c.repository == "shop/a" && c.tag == registry.TagPrevious {
				return refused
			}
			return fine
		}))
		_, err := Revert(t.Context(), s.clients, p, a)
		s.transport.set(nil)
		if at := s.server.Tags("shop/a")[registry.TagLatest]; err == nil || at != h["one"][0] {
			t.Errorf("latest went to %s, %v", at, err)
		}
	})
	t.Run("latest refused", func(t *testing.T) {
		s, h, p, a := start(t)
		s.transport.set(s.protectsRunning(0, h["one"][0], func(c ecrCall) failure {
			if c.action == "PutImage" && c.repository == "shop/a" && c.tag == registry.TagLatest {
				return refused
			}
			return fine
		}))
		got, err := Revert(t.Context(), s.clients, p, a)
		s.transport.set(nil)
		var failed *RevertError
		if !errors.As(err, &failed) || len(failed.Left) != 1 || failed.Left[0].Tag != registry.TagLatest {
			t.Errorf("got %v, want a RevertError that leaves latest", err)
		}
		// latest protects what runs new, and deployed again what ran before.
		s.wantReverted(got, "shop/b:latest", "shop/b:previous-latest", "shop/a:previous-latest kept ("+runsOld+")")
		s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: {h["one"][0], h["three"][1]}, registry.TagPrevious: {h["three"][0], h["two"][1]}})
	})
	t.Run("latest stood on an archived image", func(t *testing.T) {
		s := newRegistryFixture(t, "shop/a")
		h := s.history("one", "two", "three")
		s.archive(0, h["three"][0])
		p := s.promoted("one", s.running(h["two"]))
		s.server.ResetCalls()
		got := s.revertedTo(p, RolloutResult{Runs: map[registry.Ref]string{s.repos[0].Ref: h["one"][0]}})
		testkit.WantECRCalls(t, s.server, "PutImage", 0)
		s.wantReverted(got, "shop/a:latest kept (the image that it pointed to is archived)")
		s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: h["one"], registry.TagPrevious: h["two"]})
	})
}

// TestRevertWhatRunsFailsAtEveryCall breaks each call in each way: what runs is
// under latest or deployed at all times, what is told is so, and another Revert
// finishes it.
func TestRevertWhatRunsFailsAtEveryCall(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	a := RolloutResult{Runs: map[registry.Ref]string{s.repos[0].Ref: h["one"][0]}}
	for _, f := range []failure{refused, cut, lost} {
		for action, calls := range map[string]int{"BatchGetImage": 4, "PutImage": 4, "DescribeImages": 2} {
			for n := 1; n <= calls; n++ {
				what := fmt.Sprintf("%s %s %d", f, action, n)
				s.move(0, registry.TagPrevious, h["two"][0])
				p := s.promoted("one", s.running(h["three"]))
				s.transport.set(s.protectsRunning(0, h["one"][0], nth(action, n, f)))
				got, err := Revert(t.Context(), s.clients, p, a)
				s.transport.set(nil)
				at := s.tags()
				for _, c := range got.Changes {
					if at[c.Repository.Name+":"+c.Tag] != c.To {
						t.Errorf("%s: says that %s:%s went to %s", what, c.Repository.Name, c.Tag, c.To)
					}
				}
				for _, k := range got.NotReverted {
					if at[k.Repository.Name+":"+k.Tag] != k.Digest {
						t.Errorf("%s: says that %s:%s stays on %s (%s)", what, k.Repository.Name, k.Tag, k.Digest, k.Reason)
					}
				}
				var failed *RevertError
				if err != nil && (!errors.As(err, &failed) || len(failed.Left)+len(failed.Unknown) == 0) {
					t.Errorf("%s: got %v, want none, or a RevertError with tags that are left or unknown", what, err)
				}
				if failed != nil {
					for _, c := range failed.Left {
						if f != lost && at[c.Repository.Name+":"+c.Tag] != c.To {
							t.Errorf("%s: says that %s:%s is left on %s", what, c.Repository.Name, c.Tag, c.To)
						}
					}
				}
				s.revertedTo(p, a)
				s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: h["three"], registry.TagPrevious: {h["one"][0], h["two"][1]}})
			}
		}
	}
}

// TestRevertWhatRunsWithOthers lets another job move latest to a revision of
// its own: both agree on it, and what runs is under deployed.
func TestRevertWhatRunsWithOthers(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	p := s.promoted("one", s.running(h["three"]))
	var once sync.Once
	s.transport.set(s.protectsRunning(0, h["one"][0], func(c ecrCall) failure {
		if c.action == "PutImage" && c.repository == "shop/a" && c.tag == registry.TagLatest {
			once.Do(func() {
				for i := range s.repos {
					s.move(i, registry.TagLatest, h["two"][i])
				}
			})
		}
		return fine
	}))
	got := s.revertedTo(p, RolloutResult{Runs: map[registry.Ref]string{s.repos[0].Ref: h["one"][0]}})
	s.transport.set(nil)
	s.wantOneLatest(s.publication("two", h["two"]), s.publication("three", h["three"]))
	if at := s.server.Tags("shop/a")[registry.TagPrevious]; at != h["one"][0] {
		t.Errorf("deployed is on %s: %s, want %v", at, got.brief(), h["one"][0])
	}
}
