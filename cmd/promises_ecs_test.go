package cmd

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"slipway/internal/sandbox"
)

// ecsFixture is a buildFixture without an engine whose four services run on ECS, in one ECS service
// each or all in one.
type ecsFixture struct {
	*buildFixture
	sandbox *ecsSandbox
}

// newECSFixture pushes the revisions one, two and bad: two runs, and bad crashes.
func newECSFixture(t *testing.T, apart bool) *ecsFixture {
	t.Helper()
	return newQuirkyECSFixture(t, apart, sandbox.ECSQuirks{})
}

// newQuirkyECSFixture is newECSFixture with an ECS that differs from the documented one.
func newQuirkyECSFixture(t *testing.T, apart bool, quirks sandbox.ECSQuirks) *ecsFixture {
	t.Helper()
	h := &ecsFixture{buildFixture: newBuildFixtureOn(t, "ecs", sandbox.Options{ECSSpeed: 40, ECS: quirks}, "")}
	h.sandbox = newECSSandbox(h.aws, h.proxy.host())
	h.pushRevision("one", nil)
	h.pushRevision("bad", map[string]string{"slipway.sandbox.exit": "1"})
	h.pushRevision("two", nil)
	compose := "name: shop\nservices:\n"
	var all []string
	for _, component := range componentNames {
		all = append(all, component+"=shop/"+component+":latest")
		compose += fmt.Sprintf("  %s: {build: ./%[1]s", component)
		if apart {
			h.createService(ecsServiceFixture{cluster: "prod", service: component, containers: all[len(all)-1:]})
			compose += fmt.Sprintf(", x-slipway: {ecs: {cluster: prod, service: %s}}", component)
		}
		compose += "}\n"
	}
	if !apart {
		h.createService(ecsServiceFixture{cluster: "prod", service: "shop", containers: all})
		compose += "x-slipway: {ecs: {cluster: prod, service: shop}}\n"
	}
	h.write("compose.yaml", compose)
	h.aws.Advance(10 * time.Minute)
	h.aws.ResetCalls()
	return h
}

// pushRevision pushes a revision and moves latest to it.
func (h *ecsFixture) pushRevision(revision string, labels map[string]string) {
	h.t.Helper()
	for _, component := range componentNames {
		if err := h.sandbox.pushImage(h.t.Context(), "shop/"+component, revision, true, labels); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *ecsFixture) createService(b ecsServiceFixture) {
	h.t.Helper()
	if b.desired == 0 {
		b.desired = 1
	}
	if b.breaker == "" {
		b.breaker = "rollback"
	}
	if b.healthy == 0 {
		b.healthy = 100
	}
	if err := h.sandbox.createService(h.t.Context(), b); err != nil {
		h.t.Fatal(err)
	}
}

// speed lets ECS be so many times as fast as the real one.
func (h *ecsFixture) speed(n float64) {
	h.t.Helper()
	if err := h.aws.SetECSSpeed(n); err != nil {
		h.t.Fatal(err)
	}
}

// waitDeployments waits until a run has made the n-th deployment of all.
func (h *ecsFixture) waitDeployments(r *process, n int) {
	h.t.Helper()
	for h.calls("ecs", "UpdateService") < n {
		select {
		case <-r.ended:
			h.t.Fatalf("it ended before it deployed:\n%s", &r.stderr)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// services returns the ECS services by container.
func (h *ecsFixture) services() map[string]string {
	h.t.Helper()
	out := map[string]string{}
	for _, component := range componentNames {
		out[component] = "shop"
		if _, err := h.sandbox.runs(h.t.Context(), "prod", component); err == nil {
			out[component] = component
		}
	}
	return out
}

// runsAll checks that every task runs a revision.
func (h *ecsFixture) runsAll(revision string) {
	h.t.Helper()
	for container, service := range h.services() {
		h.runsOne(service, container, revision)
	}
}

func (h *ecsFixture) runsOne(service, container, revision string) {
	h.t.Helper()
	running, err := h.sandbox.runs(h.t.Context(), "prod", service)
	if err != nil {
		h.t.Fatal(err)
	}
	want := h.tags()["shop/"+container+":"+revision]
	got := slices.Clone(running[container])
	slices.Sort(got)
	if got = slices.Compact(got); len(got) != 1 || got[0] != want {
		h.t.Errorf("%s runs %v in %s, want %s's %s", service, got, container, revision, want)
	}
}

// wantTag checks that a tag points to a revision in every repository; an empty revision
// is for no image.
func (h *ecsFixture) wantTag(tag, revision string) {
	h.t.Helper()
	tags := h.tags()
	for _, component := range componentNames {
		if got, want := tags["shop/"+component+":"+tag], tags["shop/"+component+":"+revision]; got != want {
			h.t.Errorf("shop/%s:%s points to %s, want %s's %q", component, tag, got, revision, want)
		}
	}
}

func (h *ecsFixture) rollback(args ...string) *process {
	h.t.Helper()
	r := h.start(append([]string{"rollback"}, args...)...)
	<-r.ended
	return r
}

// TestRollbackKilled ends a rollback with SIGKILL at each point between its first tag and
// its last deployment, whether what it had sent arrives or not. The same command again
// ends as an undisturbed one.
func TestRollbackKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, action, tag string
		pass              int
		after, arrives    bool
	}{
		{"before the first tag", "PutImage", "previous-latest", 0, false, false},
		{"between two deployed", "PutImage", "previous-latest", 2, false, true},
		{"between two latest", "PutImage", "latest", 2, false, false},
		{"between retagging and deploying", "UpdateService", "", 0, false, false},
		{"when the deployments have begun", "UpdateService", "", 0, true, true},
		{"between two deployments", "UpdateService", "", 2, false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			h := newECSFixture(t, true)
			g := newGate(t, c.after)
			h.proxy.set(&rule{match: on(c.action, "", c.tag), skip: c.pass, treat: g.treat})
			r := h.start("rollback", "one")
			for range len(componentNames) - c.pass {
				r.meets(g)
			}
			r.signal(syscall.SIGKILL)
			r.wait(-1)
			g.release(c.arrives)
			h.proxy.set()
			h.rollback("one").wait(exitDone)
			h.runsAll("one")
			h.wantTag("latest", "one")
			h.wantTag("previous-latest", "two")
		})
	}
}

// TestRollbackKilledAtEachWrite ends rollbacks with SIGKILL at one request that writes
// after the other, every second time when it has been carried out. The same command again
// ends as an undisturbed one: the services run the revision, latest and their live tags
// are on it, and the previous ones on the other.
func TestRollbackKilledAtEachWrite(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, true)
	h.speed(400)
	h.rollback("one").wait(exitDone)
	h.killAtEachWrite("one", "two", func(string) {}, func(to, from string) {
		h.runsAll(to)
		h.wantTag("latest", to)
		for _, service := range componentNames {
			h.wantServiceTags("prod."+service, service, to, from)
		}
	})
}

// killAtEachWrite rolls back from one revision to another and back again, with SIGKILL at
// one request that writes after the other, every second time when it has been carried
// out. Each time the same command runs again, and check looks at its end. prepare is
// called with the revision before each rollback.
func (h *ecsFixture) killAtEachWrite(from, to string, prepare func(to string), check func(to, from string)) {
	t := h.t
	writes := func(q request) bool {
		return q.api && !strings.HasPrefix(q.action, "Describe") && !strings.HasPrefix(q.action, "List") && !strings.HasPrefix(q.action, "BatchGet")
	}
	killed := true
	for k := 0; killed; k++ {
		h.aws.Advance(10 * time.Minute)
		prepare(to)
		g := newGate(t, k%2 == 1)
		h.proxy.set(&rule{match: writes, skip: k, treat: g.treat})
		r := h.start("rollback", to)
		select {
		case q := <-g.arrived:
			t.Logf("killed at request %d: %s %s", k, q.action, q.tag)
			r.signal(syscall.SIGKILL)
		case <-r.ended:
			killed = false
		}
		<-r.ended
		g.release(false)
		h.proxy.set()
		h.rollback(to).wait(exitDone)
		check(to, from)
		if t.Failed() {
			return
		}
		from, to = to, from
	}
}

// wantServiceTags compares the tags of an ECS service in a component's repository with
// the revisions that it runs and ran before.
func (h *ecsFixture) wantServiceTags(service, component, live, previous string) {
	h.t.Helper()
	tags := h.tags()
	for tag, revision := range map[string]string{"live-" + service: live, "previous-" + service: previous} {
		if got, want := tags["shop/"+component+":"+tag], tags["shop/"+component+":"+revision]; got != want {
			h.t.Errorf("shop/%s:%s points to %s, want %s's %q", component, tag, got, revision, want)
		}
	}
}

// TestKilledThenFailing kills a rollback between its tags and its deployment; when the
// same command then fails, latest goes back to what runs, not to what the first run made
// of it.
func TestKilledThenFailing(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	g := newGate(t, false)
	h.proxy.set(&rule{match: on("UpdateService", "", ""), treat: g.treat})
	r := h.start("rollback", "bad")
	r.meets(g)
	r.signal(syscall.SIGKILL)
	r.wait(-1)
	g.release(false)
	h.proxy.set()
	h.wantTag("latest", "bad")
	h.rollback("bad").wait(exitRolledBack)
	h.wantTag("latest", "two")
	h.runsAll("two")
}

// TestRollbackFaults lets each kind of call fail for a while: the rollback gets through.
func TestRollbackFaults(t *testing.T) {
	t.Parallel()
	reads := []string{
		"DescribeServices", "DescribeTaskDefinition", "ListTasks", "DescribeTasks", "ListServiceDeployments",
		"DescribeServiceDeployments", "DescribeServiceRevisions", "DescribeRepositories", "BatchGetImage", "DescribeImages",
	}
	writes := []string{"UpdateService", "PutImage"}
	for _, c := range []struct {
		proxyFault
		actions []string
	}{
		{serverError, slices.Concat(reads, writes)},
		{cutOff, slices.Concat(reads, writes)},
		// Throttled, the client slows down all that follows: a few will do.
		{throttled, append(writes, "DescribeServices", "DescribeServiceDeployments")},
		// What was carried out is asked for again.
		{answerLost, writes},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newECSFixture(t, false)
			var rules []*rule
			for _, action := range c.actions {
				rules = append(rules, &rule{match: on(action, "", ""), times: 1, treat: c.treat})
			}
			h.proxy.set(rules...)
			h.rollback("one").wait(exitDone)
			h.runsAll("one")
			h.wantTag("latest", "one")
			h.wantTag("previous-latest", "two")
		})
	}
}

// TestRefusedDeployment lets ECS refuse one of four deployments: the other three go back,
// and so do the tags.
func TestRefusedDeployment(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, true)
	h.proxy.set(&rule{match: on("UpdateService", "c", ""), treat: func(w http.ResponseWriter, q request, _ func(http.ResponseWriter)) {
		writeFault(w, q, 400, "AccessDeniedException", "")
	}})
	r := h.rollback("one").wait(exitAWS)
	r.says("deploying ECS service prod/c", "the tags are back where they were")
	h.wantTag("latest", "two")
	h.wantTag("previous-latest", "")
	h.aws.Advance(10 * time.Minute)
	h.runsAll("two")
}

// TestOneOfFourCrashes rolls four services back to a revision of which one image crashes.
// What the other three run is protected, although latest goes back.
func TestOneOfFourCrashes(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, true)
	h.start("retention", "--apply", "--yes").wait(exitDone)
	for _, component := range componentNames {
		labels := map[string]string{}
		if component == "b" {
			labels["slipway.sandbox.exit"] = "7"
		}
		if err := h.sandbox.pushImage(t.Context(), "shop/"+component, "mixed", false, labels); err != nil {
			t.Fatal(err)
		}
	}
	r := h.rollback("mixed").wait(exitRolledBack)
	r.says("b exited with 7", "prod/a runs mixed, but latest was reverted")
	h.wantTag("latest", "two")
	h.runsOne("b", "b", "two")
	h.runsOne("a", "a", "mixed")
	mixed := h.tags()["shop/a:mixed"]
	if got := h.tags()["shop/a:previous-latest"]; got != mixed {
		t.Errorf("shop/a:previous-latest stands on %s, want what runs, %s", got, mixed)
	}
	h.aws.Advance(9 * 24 * time.Hour)
	if !slices.Contains(h.aws.Digests("shop/a"), mixed) {
		t.Error("what runs has expired")
	}
	h.start("status").wait(exitDone).says("prod/a: container a runs mixed, but latest of shop/a is two")
}

// TestStopRefused lets time run out while the deployment may not be stopped: it goes on
// to images that latest does not name any more, and those must not expire.
func TestStopRefused(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	h.start("retention", "--apply", "--yes").wait(exitDone)
	h.speed(1)
	h.proxy.set(&rule{match: on("StopServiceDeployment", "", ""), treat: func(w http.ResponseWriter, q request, _ func(http.ResponseWriter)) {
		writeFault(w, q, http.StatusBadRequest, "AccessDeniedException", "")
	}})
	h.rollback("one", "--timeout", "1s").wait(exitTimedOut).says("could not be stopped and goes on")
	h.wantTag("latest", "two")
	h.wantTag("previous-latest", "one")
	h.aws.Advance(9 * 24 * time.Hour)
	h.runsAll("one")
}

// TestSupersededAndFailed lets another deployment take one service over while another
// one crashes: the tags of the first are left alone, those of the second go back.
func TestSupersededAndFailed(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, true)
	g := newGate(t, true)
	h.proxy.set(&rule{match: on("UpdateService", "", ""), treat: g.treat})
	first := h.start("rollback", "bad")
	for range componentNames {
		first.meets(g)
	}
	h.proxy.set()
	h.speed(1) // so that the first deployment does not fail before the second one comes
	second := h.start("rollback", "one", "--ecs-service", "a")
	g.release(true)
	h.waitDeployments(second, len(componentNames)+1)
	h.speed(40)
	second.wait(exitDone)
	first.wait(exitRollout)
	tags := h.tags()
	if tags["shop/a:latest"] != tags["shop/a:one"] || tags["shop/b:latest"] != tags["shop/b:two"] {
		t.Errorf("tags %v", tags)
	}
	h.runsOne("a", "a", "one")
	h.runsOne("b", "b", "two")
}

// TestSharedRepository lets two ECS services run one image: what all ran before is what
// both ran.
func TestSharedRepository(t *testing.T) {
	t.Parallel()
	s := newBuildFixtureOn(t, "shared", sandbox.Options{ECSSpeed: 40}, "")
	h := &ecsFixture{buildFixture: s, sandbox: newECSSandbox(s.aws, s.proxy.host())}
	h.write("compose.yaml", `name: shop
services:
  web: {build: ., x-slipway: {repository: shop/a, ecs: {cluster: prod, service: web}}}
`)
	h.pushRevision("one", nil)
	h.pushRevision("two", nil)
	for _, service := range []string{"web", "worker"} {
		h.createService(ecsServiceFixture{cluster: "prod", service: service, containers: []string{service + "=shop/a:latest"}})
	}
	h.aws.Advance(10 * time.Minute)
	both := []string{"--cluster", "prod", "--ecs-service", "web", "--ecs-service", "worker"}
	h.rollback(append(both, "one")...).wait(exitDone)
	h.rollback(append(both, "--previous")...).wait(exitDone)
	running, err := h.sandbox.runs(t.Context(), "prod", "worker")
	if err != nil || !slices.Equal(running["worker"], []string{h.tags()["shop/a:two"]}) {
		t.Errorf("worker runs %v, %v", running, err)
	}
}

// TestTwoOperators lets two people roll back to different revisions. Whatever the order
// in which their calls arrive, latest stands on one revision everywhere, and that is
// what runs in the end; whoever did not get what he wanted is told.
func TestTwoOperators(t *testing.T) {
	t.Parallel()
	t.Run("one after the other's tags", func(t *testing.T) {
		t.Parallel()
		h := newECSFixture(t, false)
		h.pushRevision("three", nil)
		g := newGate(t, false)
		h.proxy.set(&rule{match: on("UpdateService", "", ""), times: 1, treat: g.treat})
		first := h.start("rollback", "one")
		first.meets(g)
		h.rollback("three").wait(exitDone)
		g.release(true)
		// Its deployment reads what latest stands on by now.
		first.wait(exitRollout)
		h.wantTag("latest", "three")
		h.runsAll("three")
	})
	t.Run("one during the other's deployment", func(t *testing.T) {
		t.Parallel()
		h := newECSFixture(t, false)
		g := newGate(t, true)
		h.proxy.set(&rule{match: on("UpdateService", "", ""), times: 1, treat: g.treat})
		first := h.start("rollback", "bad")
		first.meets(g)
		// Slowly, so that the first deployment does not fail before the second one comes.
		h.speed(1)
		second := h.start("rollback", "one")
		g.release(true)
		h.waitDeployments(second, 2)
		h.speed(40)
		second.wait(exitDone)
		first.wait(exitRollout)
		first.says("superseded", "its tags were left as they are")
		h.wantTag("latest", "one")
		h.runsAll("one")
	})
	t.Run("both move latest", func(t *testing.T) {
		t.Parallel()
		h := newECSFixture(t, false)
		h.pushRevision("three", nil)
		g := newGate(t, false)
		h.proxy.set(&rule{match: on("PutImage", "", "latest"), times: 2, skip: 2, treat: g.treat})
		first := h.start("rollback", "one")
		first.meets(g)
		first.meets(g)
		second := h.start("rollback", "two")
		second.wait(exitDone, exitAWS, exitRollout)
		g.release(true)
		first.wait(exitDone, exitAWS, exitRollout)
		latest := ""
		for _, name := range []string{"one", "two", "three"} {
			if tags := h.tags(); tags["shop/a:latest"] == tags["shop/a:"+name] {
				latest = name
			}
		}
		h.wantTag("latest", latest)
		if first.code != exitDone && second.code != exitDone {
			t.Errorf("nobody got through: %d and %d", first.code, second.code)
		}
	})
}

// TestInterruptedFollowing leaves tags and deployment agreeing.
func TestInterruptedFollowing(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	g := newGate(t, false)
	h.proxy.set(&rule{match: on("DescribeServiceDeployments", "", ""), treat: g.treat})
	r := h.start("rollback", "one")
	r.meets(g)
	r.signal(syscall.SIGINT)
	g.release(true)
	r.wait(exitInterrupted)
	r.says("goes on without being followed; the tags stay on one")
	h.wantTag("latest", "one")
	h.aws.Advance(10 * time.Minute)
	h.runsAll("one")
}

// TestInterruptedBefore ends a rollback before its deployment: the tags go back.
func TestInterruptedBefore(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	g := newGate(t, false)
	h.proxy.set(&rule{match: on("DescribeImages", "", ""), treat: g.treat})
	r := h.start("rollback", "one")
	for range componentNames {
		r.meets(g)
	}
	h.proxy.set()
	// What is held stays so: let go, it could be done before the signal has arrived.
	r.signal(syscall.SIGINT)
	r.wait(exitInterrupted)
	g.release(false)
	h.wantTag("latest", "two")
	h.wantTag("previous-latest", "")
	if n := h.calls("ecs", "UpdateService"); n != 0 {
		t.Errorf("%d deployments after an interrupt", n)
	}
}

// TestExpired finds a revision of which one image has gone, and one that is gone.
func TestExpired(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	h.start("retention", "--apply", "--yes").wait(exitDone)
	if err := h.sandbox.pushImage(t.Context(), "shop/a", "late", false, nil); err != nil {
		t.Fatal(err)
	}
	h.aws.Advance(8 * 24 * time.Hour)
	h.rollback("one").wait(exitUsage).says("one")
	h.rollback("--previous").wait(exitUsage)
	h.wantTag("latest", "two")
}

// TestThirtyServices rolls thirty services back at once, within the budget of calls:
// four for each repository before the deployments and two after them, and two writes for
// each service.
func TestThirtyServices(t *testing.T) {
	t.Parallel()
	s := newBuildFixtureOn(t, "thirty", sandbox.Options{ECSSpeed: 40}, "")
	h := &ecsFixture{buildFixture: s, sandbox: newECSSandbox(s.aws, s.proxy.host())}
	compose := "name: shop\nservices:\n"
	const services = 30
	for i := range services {
		name := fmt.Sprintf("s%02d", i)
		compose += fmt.Sprintf("  %s: {build: ., x-slipway: {ecs: {cluster: prod, service: %[1]s}}}\n", name)
		for _, revision := range []string{"one", "two"} {
			if err := h.sandbox.pushImage(t.Context(), "shop/"+name, revision, true, nil); err != nil {
				t.Fatal(err)
			}
		}
		h.createService(ecsServiceFixture{cluster: "prod", service: name, containers: []string{name + "=shop/" + name + ":latest"}})
	}
	h.write("compose.yaml", compose)
	h.aws.Advance(10 * time.Minute)
	// The first rollback gives the services their tags.
	h.rollback("one").wait(exitDone)
	h.aws.Advance(10 * time.Minute)
	h.aws.ResetCalls()
	r := h.rollback("two").wait(exitDone)
	if n := strings.Count(r.stdout.String(), "  succeeded  "); n != services {
		t.Errorf("%d services succeeded, want %d:\n%s", n, services, &r.stdout)
	}
	before, after, writes := map[string]int{}, map[string]int{}, map[string]int{}
	for _, c := range h.aws.Calls() {
		service := strings.TrimPrefix(c.Repository, "shop/")
		switch {
		case c.Service == "ecr" && service != "" && writes[service] == 0:
			before[service]++
		case c.Service == "ecr" && service != "":
			after[service]++
		case c.Service == "ecs" && (c.Action == "UpdateService" || c.Action == "RegisterTaskDefinition"):
			writes[c.Reference]++
		}
	}
	for service := range writes {
		// One to read the tags, one for each of previous-latest and latest, one to look at
		// latest again; after the deployment one for each of the service's tags.
		if before[service] > 4 || after[service] > 2 {
			t.Errorf("%d calls for the repository of %s before its deployment and %d after it, want 4 and 2 at most", before[service], service, after[service])
		}
	}
	if len(before) != services || len(after) != services || len(writes) != services || slices.Max(slices.Collect(maps.Values(writes))) > 2 {
		t.Errorf("calls for %d repositories before and %d after, writes %v", len(before), len(after), writes)
	}
}

// TestManyTasks follows a service whose tasks are more than one page of ListTasks.
func TestManyTasks(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	h.createService(ecsServiceFixture{cluster: "prod", service: "crowd", containers: []string{"a=shop/a:latest"}, desired: 130, healthy: 50})
	h.aws.Advance(30 * time.Minute)
	h.rollback("one", "--cluster", "prod", "--ecs-service", "crowd").wait(exitDone)
	h.runsOne("crowd", "a", "one")
}

// TestDoubtfulAnswers runs a rollback that works and one that does not against every
// answer of ECS of which nobody knows for sure what it looks like.
func TestDoubtfulAnswers(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]sandbox.ECSQuirks{
		"as usual":                        {},
		"ids of their own":                {SeparateIDs: true},
		"deployments are listed late":     {ListDelay: true},
		"digests of the platform":         {PlatformDigests: true},
		"success before the last is gone": {EarlySuccess: true},
		"the answer shows the old one":    {LateCurrent: true},
		"fields missing":                  {NoNewFields: true},
		"all at once":                     {SeparateIDs: true, ListDelay: true, PlatformDigests: true, EarlySuccess: true, LateCurrent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newQuirkyECSFixture(t, false, quirks)
			for _, revision := range []string{"many", "more"} {
				for _, component := range componentNames {
					if err := h.sandbox.pushIndex(t.Context(), "shop/"+component, revision, false); err != nil {
						t.Fatal(err)
					}
				}
			}
			h.rollback("many").wait(exitDone)
			h.wantTag("latest", "many")
			h.wantTag("previous-latest", "two")
			h.rollback("more").wait(exitDone)
			h.wantTag("latest", "more")
			// What runs is known by its platform's digest; deployed marks the index.
			h.wantTag("previous-latest", "many")
			h.rollback("more").wait(exitDone).says("is left alone")
			h.rollback("bad").wait(exitRolledBack)
			h.wantTag("latest", "more")
			// What ran before the deployment that failed runs again.
			h.rollback("--previous").wait(exitDone).says("is left alone")
			h.rollback("two").wait(exitDone)
			h.rollback("--previous").wait(exitDone)
			h.wantTag("latest", "more")
			h.start("status").wait(exitDone)
		})
	}
}

// TestAnswerLost loses the answer to the one try of a deployment that was carried out: it
// is found and followed all the same.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	h.proxy.set(&rule{match: on("UpdateService", "", ""), treat: answerLost.treat})
	r := h.start("AWS_MAX_ATTEMPTS=1", "rollback", "one").wait(exitDone)
	if n := h.calls("ecs", "UpdateService"); n != 1 {
		t.Errorf("%d deployments\n%s", n, &r.stderr)
	}
	h.runsAll("one")
	h.wantTag("latest", "one")
}

// TestNotAllowedToLook starts a deployment that may then not be followed: that is no
// success and no failure, so the tags stay with it.
func TestNotAllowedToLook(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	update := &rule{match: on("UpdateService", "", ""), treat: func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) { forward(w) }}
	h.proxy.set(update, &rule{
		match: func(q request) bool { return strings.HasPrefix(q.action, "Describe") && update.seen > 0 },
		treat: func(w http.ResponseWriter, q request, _ func(http.ResponseWriter)) {
			writeFault(w, q, http.StatusBadRequest, "AccessDeniedException", "")
		},
	})
	r := h.rollback("one").wait(exitAWS)
	r.says("could not be followed: nothing is verified, and the tags stay on one")
	if out := r.stdout.String(); !strings.Contains(out, "  unverified  ") || strings.Contains(out, "failed") {
		t.Errorf("the result is\n%s\nwant the status unverified", out)
	}
	h.proxy.set()
	h.wantTag("latest", "one")
	h.aws.Advance(10 * time.Minute)
	h.runsAll("one")
}

// TestBackToOneRevision lets a roll-out fail whose images are partly those that latest
// stands on, of a revision that was published and not deployed: latest goes back to that
// everywhere, not to what runs in one repository and to what was there in another.
func TestBackToOneRevision(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	h.pushRevision("three", nil)
	for _, component := range componentNames {
		labels := map[string]string{"revision": "three"}
		if component == "b" {
			labels = map[string]string{"slipway.sandbox.exit": "1"}
		}
		if err := h.sandbox.pushImage(t.Context(), "shop/"+component, "four", false, labels); err != nil {
			t.Fatal(err)
		}
	}
	h.rollback("four").wait(exitRolledBack)
	h.wantTag("latest", "three")
	h.runsAll("two")
}

// TestVariantIsNoPrefix does not take another build of a hash for the hash.
func TestVariantIsNoPrefix(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	for _, component := range componentNames {
		if err := h.sandbox.pushImage(t.Context(), "shop/"+component, "zero.2", false, nil); err != nil {
			t.Fatal(err)
		}
	}
	h.rollback("zero").wait(exitUsage)
	h.rollback("zer").wait(exitDone).says("zer is short for zero.2")
}

// TestDeployedIsProven replaces a deployment that is half way through: deployed marks the
// revision that was proven before, whole, and not what each container happens to run.
func TestDeployedIsProven(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	var containers []string
	for _, component := range componentNames {
		containers = append(containers, component+"=shop/"+component+":latest")
	}
	h.createService(ecsServiceFixture{cluster: "prod", service: "pair", containers: containers, desired: 2})
	h.aws.Advance(10 * time.Minute)
	h.speed(1)
	pair := []string{"--cluster", "prod", "--ecs-service", "pair"}
	h.rollback(append(pair, "one", "--no-wait")...).wait(exitDone)
	// As many new tasks as old ones, side by side.
	for running := int32(0); running < 4; h.aws.Advance(time.Second) {
		out, err := h.sandbox.ecs.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("prod"), Services: []string{"pair"}})
		if err != nil {
			t.Fatal(err)
		}
		running = out.Services[0].RunningCount
	}
	h.pushRevision("three", nil)
	h.rollback(append(pair, "three", "--no-wait")...).wait(exitDone)
	h.wantTag("previous-latest", "two")
}
