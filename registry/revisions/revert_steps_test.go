package revisions

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/registry"
)

// TestRevertStepsTellsWhatIsLeft fails the look after the last tag, and then
// taking back in every repository another way.
func TestRevertStepsTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	reverting := false
	var mu sync.Mutex
	err := u.try(t.Context(), func(c ecrCall) failure {
		mu.Lock()
		defer mu.Unlock()
		reverting = reverting || c.action == "DescribeImages"
		switch {
		case c.action == "DescribeImages",
			reverting && c.action == "PutImage" && c.repository == "shop/a" && c.tag == registry.TagLatest,
			reverting && c.action == "BatchDeleteImage" && c.repository == "shop/b" && c.tag == "next",
			reverting && c.action == "BatchGetImage" && c.repository == "shop/c":
			return refused
		}
		return fine
	})
	var failed *PublishError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want a PublishError", err)
	}
	var left []string
	for _, c := range failed.Left {
		left = append(left, c.Repository.Name+":"+c.Tag)
	}
	if slices.Sort(left); !slices.Equal(left, []string{"shop/a:latest", "shop/a:previous-latest", "shop/b:next"}) {
		t.Errorf("left %v", left)
	}
	if !slices.Equal(failed.Unknown, []string{"shop/c"}) {
		t.Errorf("unknown %v, want shop/c", failed.Unknown)
	}
	next := u.p.Images
	for _, line := range []string{
		"refused by the test",
		"\n  shop/a:latest points to " + next[0].Digest + ", pointed to " + u.before["shop/a:latest"] + " before",
		"\n  shop/b:next points to " + next[1].Digest + ", did not exist before",
		"\n  shop/c: its tags could not be read",
	} {
		if !strings.Contains(err.Error(), line) {
			t.Errorf("%q is not in:\n%v", line, err)
		}
	}
	// What the error says is so, and the rest went back.
	want := u.before
	want["shop/a:latest"], want["shop/a:next"] = next[0].Digest, ""
	want["shop/a:previous-latest"] = u.before["shop/a:old"] // a job run again must find it there
	want["shop/b:next"] = next[1].Digest
	delete(want, "shop/a:next")
	for _, tag := range []string{"latest", "next"} {
		want["shop/c:"+tag] = next[2].Digest
	}
	want["shop/c:previous-latest"] = u.before["shop/c:old"]
	u.wantRecord(2, "next", next[2].Digest)
	want["shop/c:revision-next"] = u.tags()["shop/c:revision-next"]
	u.wantState(want)
}

// TestRevertStepsSeesWhatWasCarriedOut loses the answers to every taking back:
// the tags are back, and so says the error.
func TestRevertStepsSeesWhatWasCarriedOut(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	reverting := false
	var mu sync.Mutex
	err := u.try(t.Context(), func(c ecrCall) failure {
		mu.Lock()
		defer mu.Unlock()
		if c.action == "DescribeImages" {
			reverting = true
			return refused
		}
		if reverting && (c.action == "PutImage" || c.action == "BatchDeleteImage") {
			return lost
		}
		return fine
	})
	var failed *PublishError
	if !errors.As(err, &failed) || len(failed.Left) != 0 || len(failed.Unknown) != 0 {
		t.Errorf("got %v, want a PublishError after which all tags are reverted", err)
	}
	u.wantState(u.before)
}

// TestRevertStepsNeverDeletesWhatRuns gives ECR's only tag to an image that ECS
// runs, and then has to take it back: the image would go with it.
func TestRevertStepsNeverDeletesWhatRuns(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	runs := u.pushOne(0, image(t)) // without any tag
	fresh := newRegistryFixture(t, "shop/a")
	freshRuns := fresh.pushOne(0, image(t))

	t.Run("deployed is its only tag", func(t *testing.T) {
		// deployed was elsewhere and goes back there: that takes no tag away.
		u.p.Running = map[registry.Ref]string{u.repos[0].Ref: runs}
		err := u.try(t.Context(), nth("DescribeImages", 1, refused))
		if err == nil {
			t.Fatal("no error")
		}
		u.wantState(u.before)
		if !slices.Contains(u.server.Digests("shop/a"), runs) {
			t.Error("the running image is gone")
		}
	})
	t.Run("deployed was not there before", func(t *testing.T) {
		next := fresh.pushOne(0, image(t))
		p := fresh.publication("next", []string{next})
		p.Running = map[registry.Ref]string{fresh.repos[0].Ref: freshRuns}
		fresh.transport.set(nth("DescribeImages", 1, refused))
		_, err := Publish(t.Context(), fresh.clients, p)
		fresh.transport.set(nil)
		var failed *PublishError
		if !errors.As(err, &failed) || len(failed.Unknown) != 0 || len(failed.Left) != 1 || failed.Left[0].Tag != registry.TagPrevious {
			t.Errorf("got %v, want a PublishError that leaves deployed", err)
		}
		fresh.wantTags(map[string][]string{registry.TagPrevious: {freshRuns}})
	})
	t.Run("the hash is its only tag", func(t *testing.T) {
		s := newRegistryFixture(t, "shop/a")
		runs := s.pushOne(0, image(t))
		p := s.publication("next", []string{runs})
		p.Running = map[registry.Ref]string{s.repos[0].Ref: runs}
		s.transport.set(nth("DescribeImages", 1, refused))
		_, err := Publish(t.Context(), s.clients, p)
		if err == nil || !slices.Contains(s.server.Digests("shop/a"), runs) {
			t.Errorf("the running image is gone, or no error: %v", err)
		}
	})
}

// TestRevertStepsLeavesOthersAlone lets another job move latest on before the
// first one fails: what the other one put stays.
func TestRevertStepsLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	other := u.publication("other", u.push(u.images()))
	var once sync.Once
	err := u.try(t.Context(), func(c ecrCall) failure {
		if c.action != "DescribeImages" {
			return fine
		}
		once.Do(func() {
			if _, err := Publish(t.Context(), u.direct, other); err != nil {
				t.Error(err)
			}
		})
		return refused
	})
	if err == nil {
		t.Fatal("no error")
	}
	for i, repo := range u.repos {
		tags := u.server.Tags(repo.Name)
		if tags["latest"] != other.Images[i].Digest || tags["other"] != other.Images[i].Digest || tags["next"] != "" {
			t.Errorf("%s: tags %v, want latest on %s", repo.Name, tags, other.Images[i].Digest)
		}
	}
}

// TestRevertStepsLeavesNoMixture is a job that moved latest in one repository
// after another job was done everywhere, and then fails: putting latest back to
// what it saw at first would leave two revisions under latest.
func TestRevertStepsLeavesNoMixture(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	other := u.publication("other", u.push(u.images()))
	var once sync.Once
	err := u.try(t.Context(), func(c ecrCall) failure {
		if c.action != "PutImage" {
			return fine
		}
		once.Do(func() {
			if _, err := Publish(t.Context(), u.direct, other); err != nil {
				t.Error(err)
			}
		})
		if c.tag != registry.TagLatest || c.repository != "shop/b" {
			return fine
		}
		for u.server.Tags("shop/a")[registry.TagLatest] != u.p.Images[0].Digest {
			<-time.After(time.Millisecond)
		}
		return refused
	})
	if err == nil {
		t.Fatal("no error")
	}
	for i, repo := range u.repos {
		if got := u.server.Tags(repo.Name)["latest"]; got != other.Images[i].Digest {
			t.Errorf("%s:latest stands on %s, want the other job's %s", repo.Name, got, other.Images[i].Digest)
		}
	}
}
