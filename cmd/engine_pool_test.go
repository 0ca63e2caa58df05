package cmd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// steps is an address at which RUN steps report the name of their service and wait.
type steps struct {
	addr    string
	arrived chan string
	// free is closed when steps need not wait.
	free chan struct{}
	once sync.Once
}

func newSteps(t *testing.T) *steps {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &steps{addr: l.Addr().String(), arrived: make(chan string, 1000), free: make(chan struct{})}
	t.Cleanup(func() { l.Close(); s.release() })
	go testkit.Accept(l, func(conn net.Conn) {
		defer conn.Close()
		name, _ := bufio.NewReader(conn).ReadString('\n')
		s.arrived <- strings.TrimSpace(name)
		<-s.free
		_, _ = conn.Write([]byte("!")) // the engine of the step may have been killed
	})
	return s
}

func (s *steps) release() { s.once.Do(func() { close(s.free) }) }

// wait returns the names of the next n steps that arrive, sorted.
func (s *steps) wait(r *process, n int) []string {
	r.t.Helper()
	var out []string
	for len(out) < n {
		select {
		case name := <-s.arrived:
			out = append(out, name)
		case <-r.ended:
			if len(s.arrived) == 0 {
				r.t.Fatalf("ended with %d after the steps of %q, want %d steps\n%s", r.code, out, n, &r.stderr)
			}
		}
	}
	slices.Sort(out)
	return out
}

// poolServices are enough for each of three engines to have some.
var poolServices = []string{"s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10", "s11", "s12"}

// newPoolFixture is a project of poolServices, each with a step that waits, and of one that
// is built on the first. The images are the same wherever they are built.
func newPoolFixture(t *testing.T, at *steps) *buildFixture {
	t.Helper()
	s := newBuildFixtureOn(t, "pool", sandbox.Options{}, "")
	probe, err := testkit.Probe()
	if err != nil {
		t.Fatal(err)
	}
	s.write("tools/probe", probe)
	compose := "name: shop\nx-slipway: {engine: {reproducible: true}}\nservices:\n"
	for _, name := range poolServices {
		compose += fmt.Sprintf("  %s: {build: {context: ./%[1]s, additional_contexts: {tools: ./tools}}}\n", name)
		s.write(name+"/Dockerfile", fmt.Sprintf("FROM scratch\nCOPY --from=tools --chmod=755 probe /probe\nRUN [\"/probe\", \"meet\", %q, %q]\nCOPY file /file\n", at.addr, name))
		s.write(name+"/file", name)
	}
	compose += "  linked: {build: {context: ./s01, additional_contexts: {base: \"service:s01\"}, dockerfile_inline: \"FROM base\\nCOPY file /linked\\n\"}}\n"
	s.write("compose.yaml", compose)
	return s
}

// daemons are several engines, with what names them as a pool.
func daemons(t *testing.T, n int) ([]*enginetest.Engine, string) {
	t.Helper()
	var out []*enginetest.Engine
	var addresses []string
	for range n {
		e := enginetest.Start(t)
		out, addresses = append(out, e), append(addresses, e.Addr)
	}
	return out, strings.Join(addresses, "|")
}

// kill ends an engine without a word.
func kill(t *testing.T, e *enginetest.Engine) {
	t.Helper()
	if err := syscall.Kill(e.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// firstEngines are the engines on which the services are built first, by service.
func (s *buildFixture) firstEngines(pool string) map[string]string {
	s.t.Helper()
	r := s.start("build", "--plan", "--output", "json", "--hash", "plan", "--engine", pool).wait(exitDone)
	var plan []struct {
		Service string
		Engines []string
	}
	if err := json.Unmarshal(r.stdout.Bytes(), &plan); err != nil {
		s.t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range plan {
		out[p.Service] = p.Engines[0]
	}
	return out
}

// servicesOn are the services of an engine, sorted.
func servicesOn(engines map[string]string, address string) []string {
	var out []string
	for service, at := range engines {
		if at == address {
			out = append(out, service)
		}
	}
	slices.Sort(out)
	return out
}

// digests are those of all services under a tag.
func (s *buildFixture) digests(tag string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, name := range append([]string{"linked"}, poolServices...) {
		digest := s.aws.Tags("shop/" + name)[tag]
		if digest == "" {
			s.t.Errorf("shop/%s has no tag %s", name, tag)
		}
		out[name] = digest
	}
	return out
}

// The services of an engine that is killed in mid-build move, and every image is that of a
// build on one engine. A service finds its layers on its engine the next time.
func TestPoolLosesAnEngine(t *testing.T) {
	t.Parallel()
	at := newSteps(t)
	s := newPoolFixture(t, at)
	engines, pool := daemons(t, 3)
	first := s.firstEngines(pool)
	r := s.startBuild("one", "--engine", pool)
	at.wait(r, len(poolServices))
	lost := engines[slices.IndexFunc(engines, func(e *enginetest.Engine) bool { return e.Addr == first["s01"] })]
	moved := servicesOn(first, lost.Addr)
	kill(t, lost)
	again := slices.DeleteFunc(slices.Clone(moved), func(name string) bool { return name == "linked" })
	if got := at.wait(r, len(again)); !slices.Equal(got, again) {
		t.Errorf("the steps of %q ran again, want those of the lost engine, %q", got, again)
	}
	at.release()
	r.wait(exitDone)
	r.says(fmt.Sprintf("WARNING: the engine at %s was lost (", lost.Addr),
		"); other engines of the pool build its services: "+strings.Join(moved, ", ")+"\n")
	if n := strings.Count(r.stderr.String(), "WARNING: "); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, &r.stderr)
	}

	// Nothing changed, so no engine is asked.
	r = s.build("same", "--engine", pool).wait(exitDone)
	r.says("nothing to build")
	if strings.Contains(r.stderr.String(), "WARNING: ") {
		t.Errorf("there is a warning:\n%s", &r.stderr)
	}

	// Everything is in the caches of the two that are left.
	s.build("two", "--rebuild", "--engine", pool).wait(exitDone).
		says("WARNING: --engine: no engine answers at "+lost.Addr+": ", "; other engines of the pool build its services")
	if len(at.arrived) > 0 {
		t.Errorf("the step of %s ran once more, so its layers were not there", <-at.arrived)
	}

	single := newPoolFixture(t, at)
	single.build("one", "--engine", enginetest.Start(t).Addr).wait(exitDone)
	want := single.digests("one")
	same(t, s.digests("one"), want)
	same(t, s.digests("two"), want)
}

// One engine that does not answer costs no more than a moment, however many services it has.
func TestPoolWithoutOneEngine(t *testing.T) {
	t.Parallel()
	at := newSteps(t)
	at.release()
	s := newPoolFixture(t, at)
	engines, pool := daemons(t, 2)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	silent := "tcp://" + l.Addr().String() // takes connections and never answers
	start := time.Now()
	r := s.build("one", "--engine", silent+"|"+pool).wait(exitDone)
	t.Logf("built after %s", time.Since(start))
	r.says("WARNING: --engine: no engine answers at "+silent+": no answer within 2s after another engine of the pool; other engines of the pool build its services",
		"engine: buildkitd (", " at "+engines[0].Addr+", since named by --engine", " at "+engines[1].Addr+", since named by --engine")
	s.digests("one")
}

// Without any engine, the build fails and says what became of each. What needs none is done.
func TestPoolWithoutEngines(t *testing.T) {
	t.Parallel()
	at := newSteps(t)
	s := newPoolFixture(t, at)
	engines, pool := daemons(t, 2)

	// Both are lost in mid-build.
	r := s.startBuild("one", "--engine", pool)
	at.wait(r, len(poolServices))
	kill(t, engines[0])
	kill(t, engines[1])
	r.wait(exitBuild)
	r.says("building s01: no engine of the pool is left: ", engines[0].Addr+": ", engines[1].Addr+": ", "12 services failed to build: ", "no tag was moved", "what to do: `slipway doctor` asks each engine")
	if got := s.tags(); len(got) > 0 {
		t.Errorf("there are tags: %v", got)
	}
	at.release()

	// Neither answers.
	s.build("one", "--engine", pool).wait(exitOther).
		says("no BuildKit engine: --engine: no engine answers at "+engines[0].Addr+": ", "; --engine: no engine answers at "+engines[1].Addr+": ")
	s.start("build", "--dry-run", "--create-repositories", "--hash", "one", "--engine", pool).wait(exitDone)

	// Nothing is to be built.
	s.build("one", "--engine", enginetest.Start(t).Addr).wait(exitDone)
	s.build("two", "--engine", pool).wait(exitDone).says("nothing to build")
}

// The layer cache in a repository is that of its services, whichever engine reads it.
func TestPoolReadsTheLayerCache(t *testing.T) {
	t.Parallel()
	at := newSteps(t)
	at.release()
	s := newPoolFixture(t, at)
	engines, pool := daemons(t, 3)
	r := s.build("one", "--cache", "registry", "--engine", pool).wait(exitDone)
	if got := at.wait(r, len(poolServices)); !slices.Equal(got, poolServices) {
		t.Fatalf("the steps of %q ran, want those of %q", got, poolServices)
	}
	// Other engines, one of which the pool did not have.
	kill(t, engines[0])
	engines[1].Empty(t)
	engines[2].Empty(t)
	s.build("two", "--rebuild", "--cache", "registry", "--engine", enginetest.Start(t).Addr+"|"+engines[1].Addr+"|"+engines[2].Addr).wait(exitDone)
	if len(at.arrived) > 0 {
		t.Errorf("the step of %s ran again, so its cache was not read", <-at.arrived)
	}
	same(t, s.digests("two"), s.digests("one"))
}

// --jobs is the limit of each engine of a pool.
func TestPoolJobs(t *testing.T) {
	t.Parallel()
	at := newSteps(t)
	s := newPoolFixture(t, at)
	_, pool := daemons(t, 2)
	first := s.firstEngines(pool)
	used := map[string]bool{}
	for _, name := range poolServices {
		used[first[name]] = true
	}
	r := s.startBuild("one", "--jobs", "1", "--engine", pool)
	running := at.wait(r, len(used))
	if len(used) == 2 && first[running[0]] == first[running[1]] {
		t.Errorf("%s and %s are built at once on %s, want one", running[0], running[1], first[running[0]])
	}
	at.release()
	r.wait(exitDone)
	s.digests("one")
}
