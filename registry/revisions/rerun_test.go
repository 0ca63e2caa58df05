package revisions

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/registry"
)

// TestRerunAfterAPartialRevert refuses latest of c, and then the way back of
// latest of b: the same publication, run again, ends as if nothing had
// happened, deployed included.
func TestRerunAfterAPartialRevert(t *testing.T) {
	t.Parallel()
	u := newFailingPublication(t)
	next, old := u.p.Images[2].Digest, u.before["shop/b:latest"]
	err := u.try(t.Context(), func(c ecrCall) failure {
		switch {
		case c.action != "PutImage" || c.tag != registry.TagLatest:
			return fine
		case c.repository == "shop/c" && c.digest == next:
			for u.server.Tags("shop/b")[registry.TagLatest] != u.p.Images[1].Digest {
				<-time.After(time.Millisecond) // b is to have moved when c fails
			}
			return refused
		case c.repository == "shop/b" && c.digest == old:
			return refused
		}
		return fine
	})
	if err == nil {
		t.Fatal("no error")
	}
	u.push(u.next)
	u.published(u.p)
	for _, repo := range u.repos {
		if got, want := u.server.Tags(repo.Name)[registry.TagPrevious], u.before[repo.Name+":latest"]; got != want {
			t.Errorf("%s:deployed points to %s, want what latest left, %s", repo.Name, got, want)
		}
	}
}

// pushMissing pushes the images of a publication that reverting has deleted.
func (s *registryFixture) pushMissing(images []v1.Image, p Publication) {
	s.t.Helper()
	for i, repo := range s.repos {
		if !slices.Contains(s.server.Digests(repo.Name), p.Images[i].Digest) {
			s.pushOne(i, images[i])
		}
	}
}

// rerun is a job whose requests are refused, and that is then run again.
type rerun struct {
	*registryFixture
	// before are the tags before, also those of images that reverting may
	// delete.
	before map[string]string
	// run does the job; again does it where nothing is refused, and afresh is
	// done before each of both, such as pushing what reverting has deleted.
	run, again func() error
	afresh     func()
	// runs is what ECS is known to run.
	runs map[registry.Ref]string
}

// reset lets the tags be what they were.
func (d *rerun) reset() {
	d.t.Helper()
	d.afresh()
	now := d.tags()
	for i, repo := range d.repos {
		for tag, digest := range d.server.Tags(repo.Name) {
			switch want := d.before[repo.Name+":"+tag]; {
			case want == "":
				d.remove(i, tag)
			case want != digest:
				d.move(i, tag, want)
			}
		}
	}
	for at, digest := range d.before {
		for i, repo := range d.repos {
			if tag, ok := cutRepository(at, repo.Name); ok && now[at] == "" {
				d.move(i, tag, digest)
			}
		}
	}
	d.afresh()
}

func cutRepository(at, name string) (string, bool) {
	if len(at) > len(name) && at[:len(name)+1] == name+":" {
		return at[len(name)+1:], true
	}
	return "", false
}

// remove takes a tag away past the wire.
func (s *registryFixture) remove(repo int, tag string) {
	s.t.Helper()
	_, err := s.direct("").BatchDeleteImage(s.t.Context(), &ecr.BatchDeleteImageInput{
		RepositoryName: aws.String(s.repos[repo].Name), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String(tag)}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// requestFilter says which requests are refused. back tells the ones that take
// something back: their image is the one that the tag pointed to before, or
// they remove the tag.
type requestFilter struct {
	name    string
	refuses func(c ecrCall, back bool) bool
}

// forwards refuses one request on the way.
func (d *rerun) forwards(tags ...string) []requestFilter {
	out := []requestFilter{{"DescribeImages", func(c ecrCall, _ bool) bool { return c.action == "DescribeImages" }}}
	for _, repo := range d.repos {
		for _, tag := range tags {
			out = append(out, requestFilter{repo.Name + ":" + tag, func(c ecrCall, back bool) bool {
				return !back && c.action == "PutImage" && c.repository == repo.Name && c.tag == tag
			}})
		}
	}
	return out
}

// backs refuses one request of the way back, each of a repository, its reads,
// or all writes from the n-th on.
func (d *rerun) backs(tags ...string) []func() requestFilter {
	var out []func() requestFilter
	one := func(name string, refuses func(ecrCall, bool) bool) {
		out = append(out, func() requestFilter { return requestFilter{name, refuses} })
	}
	one("nothing", func(ecrCall, bool) bool { return false })
	for _, repo := range d.repos {
		for _, tag := range tags {
			one(repo.Name+":"+tag, func(c ecrCall, back bool) bool { return back && c.repository == repo.Name && c.tag == tag })
		}
		one("all of "+repo.Name, func(c ecrCall, back bool) bool { return back && c.repository == repo.Name })
	}
	for n := range len(tags) * len(d.repos) {
		out = append(out, func() requestFilter {
			var mu sync.Mutex
			seen := 0
			return requestFilter{fmt.Sprintf("after %d writes", n), func(_ ecrCall, back bool) bool {
				mu.Lock()
				defer mu.Unlock()
				if back {
					seen++
				}
				return back && seen > n
			}}
		})
	}
	return out
}

// isBack reports whether a request takes back what the job did.
func (d *rerun) isBack(c ecrCall) bool {
	return c.action == "BatchDeleteImage" || c.action == "PutImage" && c.digest == d.before[c.repository+":"+c.tag]
}

// try runs the job with two disturbances and then again without.
func (d *rerun) try(forward, back requestFilter, want map[string]string) {
	d.t.Helper()
	d.reset()
	d.transport.set(func(c ecrCall) failure {
		if b := d.isBack(c); forward.refuses(c, b) || back.refuses(c, b) {
			return refused
		}
		return fine
	})
	_ = d.run() // whatever became of it
	d.transport.set(nil)
	d.afresh()
	if err := d.again(); err != nil {
		d.t.Errorf("%s refused, then back %s: again: %v", forward.name, back.name, err)
	}
	d.wantState(want)
	if d.t.Failed() {
		d.t.Fatalf("%s was refused, then on the way back %s", forward.name, back.name)
	}
}

// withoutFailures is the state after a run in which nothing fails.
func (d *rerun) withoutFailures() map[string]string {
	d.t.Helper()
	d.reset()
	if err := d.again(); err != nil {
		d.t.Fatal(err)
	}
	return d.tags()
}

func (d *rerun) tryAll(tags ...string) {
	d.t.Helper()
	want := d.withoutFailures()
	for _, forward := range d.forwards(tags...) {
		for _, back := range d.backs(tags...) {
			d.try(forward, back(), want)
		}
	}
}

// TestRerunConverges refuses each request of a job in turn, and with each of
// them every single request of taking it back and every rest of it. A good run
// afterwards ends in the state of one that was not disturbed.
func TestRerunConverges(t *testing.T) {
	t.Parallel()
	for _, runs := range []string{"unknown", "known"} {
		t.Run("publish, what runs is "+runs, func(t *testing.T) {
			t.Parallel()
			s := newRegistryFixture(t, "shop/a", "shop/b")
			s.mutable()
			h := s.history("older", "old")
			s.move(1, "prod", h["old"][1])
			images := s.images()
			p := s.publication("next", s.push(images))
			p.Images[1].Extra = []string{"prod"}
			if runs == "known" {
				p.Running = s.running(h["old"])
			}
			publish := func() error {
				_, err := Publish(t.Context(), s.clients, p)
				return err
			}
			d := &rerun{registryFixture: s, before: s.tags(), run: publish, again: publish, afresh: func() { s.pushMissing(images, p) }}
			d.tryAll("next", "prod", registry.TagPrevious, registry.TagLatest)
		})
		t.Run("promote, what runs is "+runs, func(t *testing.T) {
			t.Parallel()
			d := rollingBack(t, runs == "known")
			d.run = d.again
			d.tryAll(registry.TagPrevious, registry.TagLatest)
		})
		t.Run("revert, what runs is "+runs, func(t *testing.T) {
			t.Parallel()
			d := rollingBack(t, runs == "known")
			want := d.withoutFailures()
			for _, back := range d.backs(registry.TagPrevious, registry.TagLatest) {
				d.reset()
				d.tryRevert(back(), want)
			}
		})
	}
}

// rollingBack goes back to older, with old as latest.
func rollingBack(t *testing.T, known bool) *rerun {
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("eldest", "older", "old")
	var running map[registry.Ref]string
	if known {
		running = s.running(h["old"])
	}
	d := &rerun{registryFixture: s, before: s.tags(), afresh: func() {}, runs: running}
	d.again = func() error {
		_, err := Promote(t.Context(), s.clients, s.promotion(s.clients, "older", running))
		return err
	}
	return d
}

// tryRevert promotes, takes that back with a disturbance, and promotes again.
func (d *rerun) tryRevert(back requestFilter, want map[string]string) {
	d.t.Helper()
	done := d.promoted("older", d.runs)
	d.transport.set(func(c ecrCall) failure {
		if back.refuses(c, d.isBack(c)) {
			return refused
		}
		return fine
	})
	_, _ = Revert(d.t.Context(), d.clients, done, RolloutResult{}) // whatever became of it
	d.transport.set(nil)
	if err := d.again(); err != nil {
		d.t.Errorf("back %s: again: %v", back.name, err)
	}
	d.wantState(want)
	if d.t.Failed() {
		d.t.Fatalf("on the way back, %s was refused", back.name)
	}
}
