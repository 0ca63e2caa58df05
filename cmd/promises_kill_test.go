package cmd

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"slipway/internal/sandbox"
)

// TestKilled ends a job with SIGKILL at each point from its pushes to its
// definitions, whether what it had sent arrives afterwards or not. The
// same command again ends as an undisturbed one.
func TestKilled(t *testing.T) {
	t.Parallel()
	calm := newBuildFixture(t, "kill", sandbox.Options{})
	calm.build("one").wait(exitDone)
	calm.writeProject("kill, next")
	calm.build("two").wait(exitDone)
	want := calm.state()
	for _, c := range []struct {
		what, action, tag string
		// pass is how many requests go through before the rest are held.
		pass int
		// after holds the answers instead.
		after, arrives bool
	}{
		{"between two pushes", "PUT manifest", "", 1, false, true},
		{"before the first tag", "PutImage", "two", 0, false, false},
		{"between two hashes", "PutImage", "two", 2, false, true},
		{"before the first record", "PutImage", "revision-two", 0, false, true},
		{"between two records", "PutImage", "revision-two", 2, false, false},
		{"between two records, and the rest arrive", "PutImage", "revision-two", 1, false, true},
		{"between two deployed", "PutImage", "previous-latest", 1, false, false},
		{"between two latest", "PutImage", "latest", 2, false, false},
		{"between two latest, and the rest arrive", "PutImage", "latest", 1, false, true},
		{"before the definitions", "DescribeImages", "", 3, true, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := newBuildFixture(t, "kill", sandbox.Options{})
			s.build("one").wait(exitDone)
			before := s.tags()
			s.writeProject("kill, next")
			g := newGate(t, c.after)
			s.proxy.set(&rule{match: on(c.action, "", c.tag), skip: c.pass, treat: g.treat})
			r := s.startBuild("two")
			for range len(componentNames) - c.pass {
				r.meets(g)
			}
			r.signal(syscall.SIGKILL)
			r.wait(-1)
			g.release(c.arrives)
			s.proxy.set()
			s.defines("one")
			if c.tag == "" && !c.after || c.tag == "two" && c.pass == 0 {
				same(t, s.tags(), before) // the job had not come to the tags
			}
			s.build("two").wait(exitDone)
			same(t, s.state(), want)
			s.defines("two")
		})
	}
}

// TestInterrupted ends a job with SIGINT: it takes back what it did.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action, tag string
		pass        int
	}{
		{"POST upload", "", 1},
		{"PUT manifest", "", 2},
		{"PutImage", "two", 2},
		{"PutImage", "previous-latest", 2},
		{"PutImage", "latest", 2},
		{"DescribeImages", "", 3},
	} {
		t.Run(fmt.Sprint(c.action, " ", c.tag), func(t *testing.T) {
			t.Parallel()
			s := newBuildFixture(t, "interrupt", sandbox.Options{})
			s.build("one").wait(exitDone)
			before := s.tags()
			s.writeProject("interrupt, next")
			g := newGate(t, false)
			s.proxy.set(&rule{match: on(c.action, "", c.tag), skip: c.pass, times: 1, treat: g.treat})
			r := s.startBuild("two")
			r.meets(g)
			r.signal(syscall.SIGINT)
			if c.action == "PutImage" {
				// What was sent before the interrupt arrives after it.
				select {
				case <-r.ended:
				case <-time.After(300 * time.Millisecond):
				}
				g.release(true)
			}
			r.wait(exitInterrupted)
			g.release(true)
			same(t, s.tags(), before)
			s.defines("one")
			s.proxy.set()
			s.build("two").wait(exitDone)
			s.complete("two", true)
		})
	}
}
