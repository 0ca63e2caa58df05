package revisions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/testkit"
	"slipway/registry"
)

func (s *registryFixture) reverted(p Published) Reverted {
	s.t.Helper()
	out, err := Revert(s.t.Context(), s.clients, p, RolloutResult{})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// brief is a result in words, the digests left out.
func (r Reverted) brief() string {
	var words []string
	for _, c := range r.Changes {
		word := c.Repository.Name + ":" + c.Tag
		if c.To == "" {
			word += " removed"
		}
		words = append(words, word)
	}
	for _, k := range r.NotReverted {
		words = append(words, fmt.Sprintf("%s:%s kept (%s)", k.Repository.Name, k.Tag, k.Reason))
	}
	slices.Sort(words)
	return strings.Join(words, "; ")
}

func (s *registryFixture) wantReverted(got Reverted, want ...string) {
	s.t.Helper()
	slices.Sort(want)
	if got.brief() != strings.Join(want, "; ") {
		s.t.Errorf("reverted: %s\nwant: %s", got.brief(), strings.Join(want, "; "))
	}
}

func TestRevert(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	before := s.tags()
	all := []string{"shop/a:latest", "shop/b:latest", "shop/a:previous-latest", "shop/b:previous-latest"}
	t.Run("promoted", func(t *testing.T) {
		p := s.promoted("one", s.running(h["three"]))
		s.server.ResetCalls()
		got := s.reverted(p)
		s.wantReverted(got, all...)
		s.wantState(before)
		for action, want := range map[string]int{"BatchGetImage": 4, "PutImage": 4, "DescribeImages": 2, "BatchDeleteImage": 0} {
			testkit.WantECRCalls(t, s.server, action, want)
		}
		for _, c := range got.Changes {
			if c.Tag == registry.TagLatest && (c.From == c.To || !strings.HasPrefix(c.From, "sha256:") || before[c.Repository.Name+":latest"] != c.To) {
				t.Errorf("latest moved from %s to %s", c.From, c.To)
			}
		}
		s.wantReverted(s.reverted(p)) // again: nothing to do
		s.wantState(before)
	})
	t.Run("published", func(t *testing.T) {
		four := s.push(s.images())
		p := s.publication("four", four)
		p.Running = s.running(h["three"])
		s.wantReverted(s.reverted(s.published(p)), all...)
		before["shop/a:four"], before["shop/b:four"] = four[0], four[1] // the hash stays
		s.wantState(before)
	})
	t.Run("cancelled", func(t *testing.T) {
		p := s.promoted("one", s.running(h["three"]))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Revert(ctx, s.clients, p, RolloutResult{}); err != nil {
			t.Error(err)
		}
		s.wantState(before)
	})
	t.Run("nothing was moved", func(t *testing.T) {
		p := s.promoted("three", s.running(h["three"]))
		s.server.ResetCalls()
		s.wantReverted(s.reverted(p))
		testkit.WantECRCalls(t, s.server, "BatchGetImage", 0)
		s.wantReverted(s.reverted(Published{}))
	})
	t.Run("latest was kept", func(t *testing.T) {
		p := s.publication("five", s.push(s.images()))
		p.KeepLatest, p.Running = true, s.running(h["three"])
		s.wantReverted(s.reverted(s.published(p)))
	})
}

// TestRevertAfterAKill reverts what an earlier run had moved: latest pointed to
// the wanted image before, and something else ran.
func TestRevertAfterAKill(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	s.promoted("one", s.running(h["three"])) // killed before it deployed
	s.wantReverted(s.reverted(s.promoted("one", s.running(h["three"]))), "shop/a:latest", "shop/b:latest")
	s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: h["three"], registry.TagPrevious: h["three"]})

	// Killed between the repositories; and the other one ran the wanted image
	// already.
	s.move(0, registry.TagLatest, h["one"][0])
	running := s.running([]string{h["two"][0], h["one"][1]})
	got := s.reverted(s.promoted("one", running))
	// What runs in shop/a now has latest as well, but that is not what it left.
	s.wantReverted(got, "shop/a:latest", "shop/b:latest", "shop/a:previous-latest")
	if a := s.server.Tags("shop/a"); a[registry.TagLatest] != h["two"][0] || a[registry.TagPrevious] != h["three"][0] {
		t.Errorf("shop/a: %v", a)
	}
	if b := s.server.Tags("shop/b"); b[registry.TagLatest] != h["three"][1] {
		t.Errorf("shop/b: %v, want %v", b, h["three"][1])
	}
}

// TestRevertKeepsWhatRuns has ECS run an image that latest did not point to:
// deployed is all that keeps it, and must stay.
func TestRevertKeepsWhatRuns(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	got := s.reverted(s.promoted("two", s.running([]string{h["one"][0], h["three"][1]})))
	s.wantReverted(got, "shop/a:latest", "shop/b:latest", "shop/b:previous-latest", "shop/a:previous-latest kept (it keeps the running image from expiring)")
	s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: h["three"], registry.TagPrevious: {h["one"][0], h["two"][1]}})
}

// TestRevertTheFirst has nothing to go back to: the tags go, but never with an
// image that a task may run.
func TestRevertTheFirst(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	one := s.push(s.images())
	got := s.reverted(s.published(s.publication("one", one)))
	s.wantReverted(got, "shop/a:latest removed", "shop/b:latest removed")
	s.wantTags(map[string][]string{"one": one})

	bare := s.push(s.images())
	found, err := FindDigests(t.Context(), s.clients, s.repos, s.running(bare), extraDigests(s.running(one)), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Promote(t.Context(), s.clients, Promotion{Snapshot: found.Snapshot, Images: found.Images, Running: s.running(one)})
	if err != nil {
		t.Fatal(err)
	}
	got = s.reverted(p)
	s.wantReverted(got, "shop/a:latest kept (it is the only tag of an image that may be running)", "shop/b:latest kept (it is the only tag of an image that may be running)",
		"shop/a:previous-latest kept (it keeps the running image from expiring)", "shop/b:previous-latest kept (it keeps the running image from expiring)")
	s.wantTags(map[string][]string{"one": one, registry.TagPrevious: one, registry.TagLatest: bare})
}

// TestRevertLeavesOthersAlone lets others move latest before the revert.
func TestRevertLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	t.Run("a whole revision", func(t *testing.T) {
		s := newRegistryFixture(t, "shop/a", "shop/b")
		h := s.history("one", "two", "three")
		p := s.promoted("one", s.running(h["three"]))
		s.promoted("two", s.running(h["three"]))
		before := s.tags()
		got := s.reverted(p)
		if got.SupersededBy != "two" || len(got.Changes) != 0 || len(got.NotReverted) != 4 || got.NotReverted[0].Digest != h["two"][0] {
			t.Errorf("got %+v, want that two superseded it and no tag was reverted of four", got)
		}
		s.wantState(before)
	})
	t.Run("one tag by hand", func(t *testing.T) {
		s := newRegistryFixture(t, "shop/a", "shop/b")
		h := s.history("one", "two", "three")
		p := s.promoted("one", s.running(h["three"]))
		byHand := s.pushOne(1, image(t), "by-hand")
		s.move(1, registry.TagLatest, byHand)
		got := s.reverted(p)
		s.wantReverted(got, "shop/a:latest", "shop/a:previous-latest", "shop/b:latest kept (another job has moved it since)",
			"shop/b:previous-latest kept (it keeps the running image from expiring)")
		if a, b := s.server.Tags("shop/a")[registry.TagLatest], s.server.Tags("shop/b")[registry.TagLatest]; a != h["three"][0] || b != byHand {
			t.Errorf("latest is on %s and %s", a, b)
		}
	})
}

// TestRevertLeavesNoMixture lets another job move latest everywhere between the
// look at the tag of one repository and its move: putting it back in that one
// alone would leave two revisions under latest.
func TestRevertLeavesNoMixture(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/still")
	h := s.stillHistory("one", "two", "three")
	s.promoted("one", nil)
	p := s.promoted("three", nil)
	other := s.promotion(s.direct, "two", nil)
	moved := make(chan struct{})
	var once sync.Once
	s.transport.set(func(c ecrCall) failure {
		switch {
		case c.action == "PutImage" && c.repository == "shop/a":
			once.Do(func() {
				if _, err := Promote(t.Context(), s.direct, other); err != nil {
					t.Error(err)
				}
				close(moved)
			})
		case c.action == "BatchGetImage" && c.repository == "shop/b":
			<-moved
		}
		return fine
	})
	got := s.reverted(p)
	s.transport.set(nil)
	// two is newer than one: both jobs converge on it.
	s.wantReverted(got, "shop/a:latest kept (another job has moved it since)", "shop/b:latest kept (another job has moved it since)",
		"shop/a:previous-latest kept (it keeps the running image from expiring)", "shop/b:previous-latest kept (it keeps the running image from expiring)")
	if got.SupersededBy != "two" {
		t.Errorf("overtaken by %q, want two", got.SupersededBy)
	}
	s.wantOneLatest(s.publication("two", h["two"]))
}

// TestRevertNeverConvergesOnTheFailed has a mixture of three revisions, of
// which the newest is the one that failed.
func TestRevertNeverConvergesOnTheFailed(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	h := s.history("one", "two", "three")
	s.promoted("one", nil)
	p := s.promoted("three", nil)
	s.move(1, registry.TagLatest, h["two"][1])
	var once sync.Once
	s.transport.set(func(c ecrCall) (f failure) {
		if c.action == "PutImage" && c.repository == "shop/a" {
			once.Do(func() { f = refused })
		}
		return f
	})
	got := s.reverted(p)
	s.transport.set(nil)
	if got.SupersededBy != "two" {
		t.Errorf("overtaken by %q, want two", got.SupersededBy)
	}
	s.wantOneLatest(s.publication("two", h["two"]))
}

// TestRevertTellsWhatIsLeft fails in each repository another way.
func TestRevertTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	h := s.history("one", "two", "three")
	p := s.promoted("one", s.running(h["three"]))
	s.transport.set(func(c ecrCall) failure {
		switch {
		case c.action == "DescribeImages",
			c.action == "PutImage" && c.repository == "shop/a" && c.tag == registry.TagLatest,
			c.action == "BatchGetImage" && c.repository == "shop/c":
			return refused
		}
		return fine
	})
	got, err := Revert(t.Context(), s.clients, p, RolloutResult{})
	s.transport.set(nil)
	var failed *RevertError
	if !errors.As(err, &failed) || !slices.Equal(failed.Unknown, []string{"shop/c"}) || failed.Diverged != nil {
		t.Fatalf("got %v, want a RevertError with shop/c unknown", err)
	}
	for _, line := range []string{
		"reverting tags: ", "refused by the test",
		"\n  shop/a:latest points to " + h["one"][0] + ", pointed to " + h["three"][0] + " before",
		"\n  shop/b:previous-latest points to " + h["three"][1] + ", pointed to " + h["two"][1] + " before",
		"\n  shop/c: its tags could not be read",
	} {
		if !strings.Contains(err.Error(), line) {
			t.Errorf("%q is not in:\n%v", line, err)
		}
	}
	s.wantReverted(got, "shop/b:latest")
	s.wantReverted(s.reverted(p), "shop/a:latest", "shop/c:latest", "shop/a:previous-latest", "shop/b:previous-latest", "shop/c:previous-latest")
	s.wantTags(map[string][]string{"one": h["one"], "two": h["two"], "three": h["three"], registry.TagLatest: h["three"], registry.TagPrevious: h["two"]})
}

// TestRevertLooksTwice cannot read a tag at first, and sees later where it
// stands.
func TestRevertLooksTwice(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two")
	p := s.promoted("one", s.running(h["two"]))
	s.transport.set(func(c ecrCall) failure {
		if c.action == "BatchGetImage" && c.repository == "shop/a" && c.tag == registry.TagLatest {
			return refused
		}
		return fine
	})
	got, err := Revert(t.Context(), s.clients, p, RolloutResult{})
	s.transport.set(nil)
	var failed *RevertError
	if !errors.As(err, &failed) || len(failed.Unknown) != 0 || len(failed.Left) != 1 || failed.Left[0].To != h["one"][0] {
		t.Errorf("got %v, want a RevertError that leaves a tag at %s", err, h["one"][0])
	}
	s.wantReverted(got, "shop/b:latest", "shop/b:previous-latest", "shop/a:previous-latest kept (it keeps the running image from expiring)")
}

// TestRevertFailsAtEveryCall breaks each call in each way: what the error or
// the result says is so, and another Revert finishes it.
func TestRevertFailsAtEveryCall(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	h := s.history("one", "two", "three")
	before := s.tags()
	for _, f := range []failure{refused, cut, lost} {
		for action, calls := range map[string]int{"BatchGetImage": 6, "PutImage": 6, "DescribeImages": 3} {
			for n := 1; n <= calls; n++ {
				p := s.promoted("one", s.running(h["three"]))
				s.transport.set(nth(action, n, f))
				got, err := Revert(t.Context(), s.clients, p, RolloutResult{})
				s.transport.set(nil)
				for _, c := range got.Changes {
					if at := s.tags()[c.Repository.Name+":"+c.Tag]; at != c.To {
						t.Errorf("%s %s %d: says that %s:%s stands on %s, and it stands on %s", f, action, n, c.Repository.Name, c.Tag, c.To, at)
					}
				}
				var failed *RevertError
				if err != nil && (!errors.As(err, &failed) || len(failed.Left)+len(failed.Unknown) == 0) {
					t.Errorf("%s %s %d: got %v, want none, or a RevertError with tags that are left or unknown", f, action, n, err)
				}
				if err == nil {
					s.wantState(before)
				}
				if _, err := Revert(t.Context(), s.clients, p, RolloutResult{}); err != nil {
					t.Fatal(err)
				}
				s.wantState(before)
			}
		}
	}
}

// TestRevertIntoImmutable says what is in the way.
func TestRevertIntoImmutable(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	h := s.history("one", "two")
	p := s.promoted("one", s.running(h["two"]))
	_, err := s.direct("").PutImageTagMutability(t.Context(), &ecr.PutImageTagMutabilityInput{
		RepositoryName: aws.String("shop/a"), ImageTagMutability: types.ImageTagMutabilityImmutable,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Revert(t.Context(), s.clients, p, RolloutResult{})
	var failed *RevertError
	var taken *types.ImageTagAlreadyExistsException
	if !errors.As(err, &failed) || !errors.As(err, &taken) || len(failed.Left) != 1 {
		t.Errorf("got %v, want a RevertError of ImageTagAlreadyExistsException that leaves one tag", err)
	}
}
