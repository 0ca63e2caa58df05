package cmd

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
)

// The chaos tests disturb commands at random and check what holds at every moment and
// after the same command was run again. `make chaos` runs them for long, `go test` a few
// times. A run is described by its seed; what depends on the order of requests differs
// from run to run, so a failure also prints what was done to the requests.
var (
	chaosRuns = flag.Int("chaos.runs", 2, "`runs` of each chaos test")
	chaosTime = flag.Duration("chaos.time", 0, "`time` after which a chaos test starts no further run; 0 is without a limit")
	chaosSeed = flag.Uint64("chaos.seed", 0, "`seed` of the first run; 0 takes one from the clock")
)

// chaosJobs is how many runs there are at the same time.
const chaosJobs = 4

// chaosPatience is how long a disturbed command may take before it counts as hanging: far
// above the sum of its retries.
const chaosPatience = 4 * time.Minute

// chaos calls run with one seed after the other.
func chaos(t *testing.T, run func(*testing.T, *rand.Rand)) {
	t.Parallel()
	first := *chaosSeed
	if first == 0 {
		first = uint64(time.Now().UnixNano()) % 1e9
	}
	started := time.Now()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range chaosJobs {
		workers.Go(func() {
			for n := next.Add(1); n <= int64(*chaosRuns) && (*chaosTime == 0 || time.Since(started) < *chaosTime); n = next.Add(1) {
				seed := first + uint64(n) - 1
				t.Run(fmt.Sprintf("-chaos.runs=1,-chaos.seed=%d", seed), func(t *testing.T) {
					run(t, rand.New(rand.NewPCG(seed, 0)))
				})
			}
		})
	}
	workers.Wait()
	t.Logf("%d runs in %s, the first with seed %d", min(next.Load()-chaosJobs, int64(*chaosRuns)), time.Since(started).Round(time.Second), first)
}

// end waits for a disturbed process and fails the test if it hangs.
func (r *process) end() {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(chaosPatience):
		r.signal(syscall.SIGQUIT)
		<-r.ended
		r.t.Fatalf("%s hangs:\n%s", strings.Join(r.cmd.Args, " "), &r.stderr)
	}
}

// TestChaosKilledBuild ends builds with SIGKILL or SIGTERM.
func TestChaosKilledBuild(t *testing.T) {
	chaos(t, func(t *testing.T, random *rand.Rand) {
		c := newRandomBuildFixture(t, random)
		total := c.requests()
		k := newKiller(random, total)
		c.proxy.set(k.rule())
		r := c.startBuild("two", "--cache", "none")
		k.aim(r)
		r.end()
		c.proxy.set()
		c.undisturbed("one")
		if k.soft && r.code != exitDone && r.code != -1 {
			same(t, c.tags(), c.before)
		}
		c.build("two", "--cache", "none").wait(exitDone)
		c.arrived("two", "one")
		if t.Failed() {
			t.Logf("%s\n%s", k, &r.stderr)
		}
	})
}

// TestChaosFaultyBuild has requests of a build fail in every way.
func TestChaosFaultyBuild(t *testing.T) {
	chaos(t, func(t *testing.T, random *rand.Rand) {
		c := newRandomBuildFixture(t, random)
		f := newRandomFaults(t, random)
		c.proxy.set(f.rule())
		r := c.startBuild(impatient, "two", "--cache", "none", "--push-attempts", "2")
		r.end()
		c.proxy.set()
		c.undisturbed("one")
		switch {
		case r.code == exitDone:
			c.arrived("two", "one")
		case !slices.Contains([]int{exitBuild, exitAWS}, r.code):
			t.Errorf("exit code %d, want %d or %d", r.code, exitBuild, exitAWS)
		case claimsNothingMoved(r):
			same(t, c.tags(), c.before)
		}
		c.build("two", "--cache", "none").wait(exitDone)
		c.arrived("two", "one")
		if t.Failed() {
			t.Logf("%s\n%s", f, &r.stderr)
		}
	})
}

// claimsNothingMoved reports whether a process says that all tags are as before.
func claimsNothingMoved(r *process) bool {
	text := r.stderr.String()
	return strings.Contains(text, "all tags are where they were") || strings.Contains(text, "no tag was moved")
}

// TestChaosFourJobs has four builds of one project run at the same time, with faults for
// all and a kill for some. Run again one after the other, each succeeds.
func TestChaosFourJobs(t *testing.T) {
	chaos(t, func(t *testing.T, random *rand.Rand) {
		c := newRandomBuildFixture(t, random)
		f := newRandomFaults(t, random)
		c.proxy.set(f.rule())
		hashes := []string{"j1", "j2", "j3", "j4"}
		shops, jobs := map[string]*buildFixture{}, map[string]*process{}
		for _, hash := range hashes {
			shops[hash] = c.secondCopy("chaos " + hash)
			shops[hash].write("a/file", "a of all jobs")
			jobs[hash] = shops[hash].startBuild(impatient, hash, "--cache", "none", "--push-attempts", "2")
			if random.IntN(4) == 0 {
				delay := time.Duration(random.IntN(1500)) * time.Millisecond
				time.AfterFunc(delay, func() { _ = jobs[hash].cmd.Process.Kill() }) // it may have ended
			}
		}
		for _, hash := range hashes {
			jobs[hash].end()
		}
		c.proxy.set()
		c.undisturbed()
		for _, hash := range hashes {
			if jobs[hash].code == exitDone {
				c.complete(hash, false)
			}
		}
		for _, hash := range hashes {
			shops[hash].build(hash, "--cache", "none").wait(exitDone)
			shops[hash].defines(hash)
			c.complete(hash, true)
			shops[hash].ofFiles(hash)
		}
		for _, hash := range hashes {
			shops[hash].reuses(hash + "-again")
			shops[hash].ofFiles(hash + "-again")
		}
		c.pullable()
		if t.Failed() {
			t.Logf("%s", f)
			for _, hash := range hashes {
				t.Logf("%s ended with %d:\n%s", hash, jobs[hash].code, &jobs[hash].stderr)
			}
		}
	})
}

// TestChaosKilledRollout ends rollbacks and rollouts with SIGKILL.
func TestChaosKilledRollout(t *testing.T) {
	chaos(t, func(t *testing.T, random *rand.Rand) {
		h, command := newRandomECSFixture(t, random)
		k := newKiller(random, 80)
		k.soft = false
		h.proxy.set(k.rule())
		r := h.start(command...)
		k.aim(r)
		r.end()
		h.proxy.set()
		h.protected()
		h.deploysAgain(command)
		if t.Failed() {
			t.Logf("%v, %s\n%s", command, k, &r.stderr)
		}
	})
}

// TestChaosFaultyRollout has requests of rollbacks and rollouts fail in every way.
func TestChaosFaultyRollout(t *testing.T) {
	chaos(t, func(t *testing.T, random *rand.Rand) {
		h, command := newRandomECSFixture(t, random)
		f := newRandomFaults(t, random)
		before := h.tags()
		h.proxy.set(f.rule())
		r := h.start(append([]string{impatient}, command...)...)
		r.end()
		h.proxy.set()
		h.protected()
		if r.code != exitDone && claimsNothingMoved(r) {
			same(t, h.tags(), before)
		}
		h.deploysAgain(command)
		if t.Failed() {
			t.Logf("%v ended with %d, %s\n%s", command, r.code, f, &r.stderr)
		}
	})
}

// newRandomECSFixture makes ECS services that run the revision two, together or apart, and
// picks a command that deploys another.
func newRandomECSFixture(t *testing.T, random *rand.Rand) (*ecsFixture, []string) {
	h := newECSFixture(t, random.IntN(2) == 0)
	command := [][]string{{"rollback", "one"}, {"rollout", "one"}, {"rollback", "bad"}}[random.IntN(3)]
	return h, append(command, "--timeout", "2m")
}

// deploysAgain runs a command again, undisturbed.
func (h *ecsFixture) deploysAgain(command []string) {
	h.t.Helper()
	if command[1] == "bad" {
		h.start(command...).wait(exitRolledBack)
		h.wantTag("latest", "two")
		h.runsAll("two")
		h.live()
		return
	}
	h.start(command...).wait(exitDone)
	h.wantTag("latest", "one")
	h.runsAll("one")
	h.protected()
	h.live()
}

// live checks that the tag of each service points to the image that it runs.
func (h *ecsFixture) live() {
	h.t.Helper()
	tags := h.tags()
	for container, service := range h.services() {
		running, err := h.sandbox.runs(h.t.Context(), "prod", service)
		if err != nil {
			h.t.Fatal(err)
		}
		tag := "shop/" + container + ":live-prod." + service
		for _, digest := range running[container] {
			if digest != tags[tag] {
				h.t.Errorf("%s runs %s, and %s points to %q", service, digest, tag, tags[tag])
			}
		}
	}
}

// protected checks that each running image has a tag that retention spares.
func (h *ecsFixture) protected() {
	h.t.Helper()
	tags := h.tags()
	for container, service := range h.services() {
		running, err := h.sandbox.runs(h.t.Context(), "prod", service)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, digest := range running[container] {
			// A task that has not pulled its image yet has no digest.
			if digest != "" && digest != tags["shop/"+container+":latest"] && digest != tags["shop/"+container+":previous-latest"] {
				h.t.Errorf("%s runs %s, and neither latest nor previous-latest of shop/%s points to it", service, digest, container)
			}
		}
	}
}

// randomBuildFixture is a buildFixture whose revision one is built.
type randomBuildFixture struct {
	*buildFixture
	sandbox *ecsSandbox
	// before are the tags of the first revision.
	before map[string]string
	// counted counts the requests of the first build.
	counted *rule
}

func newRandomBuildFixture(t *testing.T, random *rand.Rand) *randomBuildFixture {
	t.Helper()
	s := newBuildFixtureOn(t, fmt.Sprint("chaos ", random.Uint64()), sandbox.Options{}, enginetest.Shared(t).Addr)
	c := &randomBuildFixture{buildFixture: s, sandbox: newECSSandbox(s.aws, s.proxy.host()), counted: &rule{match: func(request) bool { return false }}}
	c.counted = &rule{match: func(request) bool { return true }, skip: 1 << 30}
	s.proxy.set(c.counted)
	s.build("one", "--cache", "none").wait(exitDone)
	s.proxy.set()
	c.before = s.tags()
	s.writeProject(fmt.Sprint("chaos, next ", random.Uint64()))
	return c
}

// requests is how many requests an undisturbed build makes.
func (c *randomBuildFixture) requests() int { return c.proxy.count(c.counted) }

// undisturbed checks what holds at every moment: the revisions that were there are as
// they were, the definitions are whole and name a revision that is there, and each image
// that a revision in use has keeps a tag that retention spares.
func (c *randomBuildFixture) undisturbed(revisions ...string) {
	c.t.Helper()
	tags := c.tags()
	for _, component := range componentNames {
		repo := "shop/" + component
		for _, revision := range revisions {
			digest := c.before[repo+":"+revision]
			if tags[repo+":"+revision] != digest {
				c.t.Errorf("%s:%s points to %s, and pointed to %s before", repo, revision, tags[repo+":"+revision], digest)
			}
			if tags[repo+":latest"] != digest && tags[repo+":previous-latest"] != digest {
				c.t.Errorf("neither latest nor previous-latest of %s points to %s of revision %s", repo, digest, revision)
			}
		}
	}
	c.defined(tags)
}

// defined checks that the definitions are those of a whole revision.
func (c *randomBuildFixture) defined(tags map[string]string) {
	c.t.Helper()
	for _, revision := range []string{"one", "two"} {
		if strings.Contains(c.read(definitions), ":"+revision+`"`) {
			c.defines(revision)
			c.complete(revision, false)
			return
		}
	}
	c.t.Errorf("%s names no revision: %s (tags %v)", definitions, c.read(definitions), tags)
}

// arrived checks that a revision is built and latest, and the one before it deployed.
func (c *randomBuildFixture) arrived(revision, former string) {
	c.t.Helper()
	c.complete(revision, true)
	c.defines(revision)
	tags := c.tags()
	for _, component := range componentNames {
		repo := "shop/" + component
		if got, want := tags[repo+":previous-latest"], c.before[repo+":"+former]; got != want {
			c.t.Errorf("%s:previous-latest points to %s, want %s of %s", repo, got, want, former)
		}
		if _, ok := tags[repo+":"+revision+".2"]; ok {
			c.t.Errorf("%s has a tag %s.2", repo, revision)
		}
		if c.aws.Policy(repo) == "" {
			c.t.Errorf("%s has no lifecycle policy", repo)
		}
	}
	c.ofFiles(revision)
	c.pullable()
	c.tidy()
}

// ofFiles checks that the images of a revision, built or reused, hold the files
// of the project.
func (s *buildFixture) ofFiles(revision string) {
	s.t.Helper()
	for _, component := range componentNames {
		if got, want := s.holds("shop/"+component, revision, "file"), s.read(component+"/file"); got != want {
			s.t.Errorf("shop/%s:%s holds %q, want %q", component, revision, got, want)
		}
	}
}
