package revisions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/internal/testkit"
	"slipway/registry"
)

func TestPublishFirst(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	one := s.push(s.images())
	got := s.published(s.publication("one", one))
	if got.Name != "one" || got.SupersededBy != "" || len(got.Changes) != 6 {
		t.Errorf("published %q, overtaken by %q, %d changes, want one, nobody, 6", got.Name, got.SupersededBy, len(got.Changes))
	}
	// Nothing ran before: there is nothing to call deployed.
	s.wantTags(map[string][]string{"one": one, "latest": one})
}

func TestPublishAgainPutsNothing(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.published(s.publication("old", s.push(s.images())))
	p := s.publication("one", s.push(s.images()))
	s.published(p)
	before := s.tags()
	s.server.ResetCalls()
	got := s.published(p)
	if got.Name != "one" || len(got.Changes) != 0 {
		t.Errorf("again: %q with changes %v", got.Name, got.Changes)
	}
	testkit.WantECRCalls(t, s.server, "PutImage", 0)
	testkit.WantECRCalls(t, s.server, "BatchDeleteImage", 0)
	s.wantState(before)
}

func TestPublishMovesLatestAndDeployed(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	one := s.push(s.images())
	s.published(s.publication("one", one))

	// A revision in which one service of three changes: nothing else moves.
	two := slices.Clone(one)
	two[1] = s.pushOne(1, image(t))
	got := s.published(s.publication("two", two))
	s.wantTags(map[string][]string{"one": one, "two": two, "latest": two, "previous-latest": {"", one[1], ""}})
	want := []string{"shop/a:two", "shop/b:two", "shop/c:two", "shop/b:previous-latest", "shop/b:latest"}
	var changed []string
	for _, c := range got.Changes {
		changed = append(changed, c.Repository.Name+":"+c.Tag)
	}
	if !slices.Equal(changed, want) {
		t.Errorf("changes %v, want %v", changed, want)
	}
	if last := got.Changes[4]; last.From != one[1] || last.To != two[1] {
		t.Errorf("latest moved from %s to %s, want %s to %s", last.From, last.To, one[1], two[1])
	}
}

func TestPublishCallsDeployedWhatRuns(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	one := s.push(s.images())
	s.published(s.publication("one", one))
	two := s.push(s.images())
	s.published(s.publication("two", two))
	p := s.publication("three", s.push(s.images()))
	gone := "sha256:" + strings.Repeat("0", 64)
	p.Running = map[registry.Ref]string{s.repos[0].Ref: one[0], s.repos[1].Ref: gone}
	s.published(p)
	// a runs what ECS said; what ECS said of b is in no registry; c is not
	// known.
	want := []string{one[0], two[1], two[2]}
	for i, repo := range s.repos {
		if got := s.server.Tags(repo.Name)[registry.TagPrevious]; got != want[i] {
			t.Errorf("%s: deployed is on %s, want %s", repo.Name, got, want[i])
		}
	}
}

func TestPublishKeepsLatest(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	one, two := s.push(s.images()), s.push(s.images())
	s.published(s.publication("one", one))
	p := s.publication("two", two)
	p.KeepLatest = true
	s.server.ResetCalls()
	s.published(p)
	s.wantTags(map[string][]string{"one": one, "two": two, "latest": one})
	testkit.WantECRCalls(t, s.server, "PutImage", 2)
}

// TestPublishNeverChangesARevision is promise 7: a name stands for one set of
// digests forever.
func TestPublishNeverChangesARevision(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	first := s.push(s.images())
	second := slices.Clone(first)
	second[2] = s.pushOne(2, image(t)) // one other digest of three
	third := s.push(s.images())
	for i, digests := range [][]string{first, second, third, second, first} {
		want := []string{"one", "one.2", "one.3", "one.2", "one"}[i]
		if got := s.published(s.publication("one", digests)); got.Name != want {
			t.Errorf("step %d: named %q, want %q", i, got.Name, want)
		}
	}
	for name, digests := range map[string][]string{"one": first, "one.2": second, "one.3": third, "latest": first} {
		for i, repo := range s.repos {
			if got := s.server.Tags(repo.Name)[name]; got != digests[i] {
				t.Errorf("%s:%s stands on %s, want %s", repo.Name, name, got, digests[i])
			}
		}
	}
}

func TestPublishCompletesARevision(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	one := s.push(s.images())
	s.move(0, "one", one[0])
	s.server.ResetCalls()
	if got := s.published(s.publication("one", one)); got.Name != "one" {
		t.Errorf("named %q, want the name left incomplete", got.Name)
	}
	s.wantTags(map[string][]string{"one": one, "latest": one})
	testkit.WantECRCalls(t, s.server, "PutImage", 5)
}

func TestPublishGivesUpOnNames(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	taken := s.pushOne(0, image(t))
	for n := 1; n <= maxVariants; n++ {
		s.move(0, variantOf("one")(n), taken)
	}
	before := s.tags()
	_, err := Publish(t.Context(), s.clients, s.publication("one", s.push(s.images())))
	var used *NamesUsedError
	if !errors.As(err, &used) || used.Hash != "one" || used.Count != 40 || !strings.Contains(err.Error(), "40 times") {
		t.Errorf("Publish() = %v, want a *NamesUsedError of one, 40 times", err)
	}
	s.wantState(before)
}

func TestPublishWantsTheImages(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	one := s.push(s.images())
	one[1] = "sha256:" + strings.Repeat("0", 64)
	_, err := Publish(t.Context(), s.clients, s.publication("one", one))
	if err == nil || !strings.Contains(err.Error(), "repository shop/b has no image "+one[1]) {
		t.Errorf("got %v, want that shop/b has no image %s", err, one[1])
	}
	s.wantState(map[string]string{})
}

func TestPublishExtraTags(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	one := s.push(s.images())
	p := s.publication("one", one)
	p.Images[1].Extra = []string{"v1.0", "stable"}
	s.published(p)
	second := []string{"", one[1]}
	s.wantTags(map[string][]string{"one": one, "latest": one, "v1.0": second, "stable": second})

	// The repositories take each tag once: an extra tag that stands elsewhere
	// is refused, and nothing else moves either.
	before := s.tags()
	p = s.publication("two", s.push(s.images()))
	p.Images[1].Extra = []string{"stable"}
	_, err := Publish(t.Context(), s.clients, p)
	var taken *types.ImageTagAlreadyExistsException
	if !errors.As(err, &taken) {
		t.Errorf("got %v, want ImageTagAlreadyExistsException", err)
	}
	s.wantState(before)
}

// TestPublishBudget holds Publish to the calls that its comment promises.
func TestPublishBudget(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c", "shop/d")
	for _, hash := range []string{"one", "two"} {
		digests := s.push(s.images())
		s.server.ResetCalls()
		s.published(s.publication(hash, digests))
		perRepo := map[string]int{}
		for _, c := range s.server.Calls() {
			perRepo[c.Repository+" "+c.Action]++
		}
		puts := map[string]int{"one": 2, "two": 3}[hash] // deployed only when something ran
		for _, repo := range s.repos {
			for action, want := range map[string]int{"BatchGetImage": 1, "PutImage": puts, "DescribeImages": 1} {
				if got := perRepo[repo.Name+" "+action]; got != want {
					t.Errorf("%s: %s took %d %s, want %d", hash, repo.Name, got, action, want)
				}
				delete(perRepo, repo.Name+" "+action)
			}
		}
		if len(perRepo) > 0 {
			t.Errorf("%s: further calls %v, want none", hash, perRepo)
		}
	}
}

// failingPublication is a stage with a revision in place and the next one
// pushed, extra tag and all, to be published into trouble.
type failingPublication struct {
	*registryFixture
	old, next []v1.Image
	before    map[string]string
	p         Publication
	// calls counts those of an undisturbed run.
	calls map[string]int
}

func newFailingPublication(t *testing.T) *failingPublication {
	t.Helper()
	u := &failingPublication{registryFixture: newRegistryFixture(t, "shop/a", "shop/b", "shop/c")}
	u.old, u.next = u.images(), u.images()
	u.published(u.recorded("older", u.push(u.images())))
	u.published(u.recorded("old", u.push(u.old)))
	u.before = u.tags()
	u.p = u.recorded("next", u.push(u.next))
	u.p.Images[1].Extra = []string{"v2"}

	calm := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	calm.published(calm.recorded("older", calm.push(calm.images())))
	calm.published(calm.recorded("old", calm.push(u.old)))
	p := calm.recorded("next", calm.push(u.next))
	p.Images[1].Extra = []string{"v2"}
	calm.transport.set(nil)
	calm.published(p)
	u.calls = calm.transport.seen()
	if u.calls["PutImage"] != 14 {
		t.Fatalf("an undisturbed run takes %v", u.calls)
	}
	return u
}

// try publishes with a fault and returns the error.
func (u *failingPublication) try(ctx context.Context, hook func(ecrCall) failure) error {
	u.t.Helper()
	u.push(u.next) // reverting removes what has no other tag
	u.transport.set(hook)
	_, err := Publish(ctx, u.clients, u.p)
	u.transport.set(nil)
	return err
}

// TestPublishFailsAtEveryCall fails each call of a run in each way, and finds
// all tags where they were.
func TestPublishFailsAtEveryCall(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	for _, f := range []failure{refused, cut, lost} {
		for _, action := range []string{"BatchGetImage", "PutImage", "DescribeImages"} {
			for n := 1; n <= u.calls[action]; n++ {
				t.Run(fmt.Sprintf("%s %s %d", f, action, n), func(t *testing.T) {
					u := &failingPublication{&registryFixture{t, u.server, u.transport, u.clients, u.direct, u.repos, u.auth}, u.old, u.next, u.before, u.p, u.calls}
					err := u.try(t.Context(), nth(action, n, f))
					var failed *PublishError
					switch {
					case err == nil:
						t.Error("no error")
					case action == "BatchGetImage":
						if errors.As(err, &failed) {
							t.Errorf("got %v, although nothing was tagged yet", err)
						}
					case !errors.As(err, &failed) || len(failed.Left) != 0 || len(failed.Unknown) != 0,
						!strings.HasSuffix(err.Error(), "all tags are where they were"):
						t.Errorf("got %v, want a PublishError after which all tags are where they were", err)
					}
					u.wantState(u.before)
				})
			}
		}
	}
	// Undisturbed, the same publication goes through.
	u.push(u.next)
	u.published(u.p)
}

// TestPublishCancelledAtEveryCall interrupts a run at each call. What was on
// its way at that moment may reach ECR all the same, at any time.
func TestPublishCancelledAtEveryCall(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	for _, action := range []string{"PutImage", "DescribeImages"} {
		for n := 1; n <= u.calls[action]; n++ {
			t.Run(fmt.Sprintf("%s %d", action, n), func(t *testing.T) {
				u := &failingPublication{&registryFixture{t, u.server, u.transport, u.clients, u.direct, u.repos, u.auth}, u.old, u.next, u.before, u.p, u.calls}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := u.try(ctx, func(c ecrCall) failure {
					if c.action == action && c.n == n {
						cancel()
						select { // give the request the time to notice
						case <-c.context.Done():
						case <-time.After(20 * time.Millisecond):
						}
					}
					return fine
				})
				var failed *PublishError
				if !errors.As(err, &failed) || !errors.Is(err, context.Canceled) || len(failed.Left)+len(failed.Unknown) != 0 {
					t.Errorf("got %v, want a cancelled PublishError after which all tags are reverted", err)
				}
				u.transport.deliver(t)
				u.wantState(u.before)
			})
		}
	}
}

// TestPublishMeetsATakenHash lets somebody else take the hash between the look
// and the first tag, in a repository whose tags cannot move.
func TestPublishMeetsATakenHash(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	theirs := u.pushOne(2, image(t))
	var once sync.Once
	err := u.try(t.Context(), func(c ecrCall) failure {
		if c.action == "PutImage" {
			once.Do(func() { u.move(2, "next", theirs) }) // the others wait for it
		}
		return fine
	})
	var failed *PublishError
	var taken *types.ImageTagAlreadyExistsException
	if !errors.As(err, &failed) || !errors.As(err, &taken) || len(failed.Left) != 0 {
		t.Errorf("got %v, want a PublishError of ImageTagAlreadyExistsException without tags left", err)
	}
	u.before["shop/c:next"] = theirs
	u.wantState(u.before)

	// Again: the name is taken now, so that the revision gets another.
	u.push(u.next)
	if got := u.published(u.p); got.Name != "next.2" {
		t.Errorf("named %q, want next.2", got.Name)
	}
}

// TestPublishIntoImmutable is for callers who did not ask CheckMovable: latest
// cannot move, and that is found out after deployed has.
func TestPublishIntoImmutable(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	_, err := u.direct("").PutImageTagMutability(t.Context(), &ecr.PutImageTagMutabilityInput{
		RepositoryName: aws.String("shop/b"), ImageTagMutability: types.ImageTagMutabilityImmutableWithExclusion,
		ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{{
			Filter: aws.String(registry.TagPrevious), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = u.try(t.Context(), nil)
	var taken *types.ImageTagAlreadyExistsException
	if !errors.As(err, &taken) {
		t.Errorf("got %v, want ImageTagAlreadyExistsException", err)
	}
	u.wantState(u.before)
}
