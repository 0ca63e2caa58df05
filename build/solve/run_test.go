package solve_test

import (
	"bufio"
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/buildkit/client"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/testkit"
)

// checkpoint is an address at which RUN steps report and wait until they are released.
type checkpoint struct {
	addr    string
	arrived chan *waitingStep
}

// waitingStep is a RUN step at a checkpoint.
type waitingStep struct {
	name string
	conn net.Conn
}

// release lets the step go on. It does nothing if no step came.
func (g *waitingStep) release() {
	if g != nil {
		g.conn.Write([]byte("!")) // if it is gone, its build has failed and says so
	}
}

func newCheckpoint(t *testing.T) *checkpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &checkpoint{addr: l.Addr().String(), arrived: make(chan *waitingStep, 16)}
	var open sync.Map
	t.Cleanup(func() {
		l.Close()
		open.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
	})
	go testkit.Accept(l, func(conn net.Conn) {
		open.Store(conn, true)
		name, _ := bufio.NewReader(conn).ReadString('\n')
		m.arrived <- &waitingStep{strings.TrimSpace(name), conn}
	})
	return m
}

// next waits for the next step to arrive.
func (m *checkpoint) next(t *testing.T) *waitingStep {
	t.Helper()
	select {
	case g := <-m.arrived:
		return g
	case <-t.Context().Done():
		return nil
	case <-time.After(limit):
		t.Error("no RUN step arrived")
		return nil
	}
}

// services is a compose file with an inline Dockerfile of probe lines for each service.
func services(lines map[string][]string) map[string]string {
	text := "services:\n"
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		text += "  " + name + ":\n    build:\n      context: .\n      dockerfile_inline: " + inlined(probing(lines[name]...))
	}
	return map[string]string{"compose.yaml": text}
}

// A failing step is reported with its lines, and the others, still building then,
// finish.
func TestOneFailsOthersFinish(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	m := newCheckpoint(t)
	list := plan(t, testkit.WriteTree(t, withProbe(t, services(map[string][]string{
		"bad":  {"fail on purpose"},
		"good": {"meet " + m.addr + " good", "see env X /done"},
	}))))
	failed := make(chan bool, 1)
	go func() {
		g := m.next(t)
		<-failed
		g.release()
	}()
	var once sync.Once
	got := o.build(t.Context(), t, list, solve.RunOptions{Status: func(service string, s *client.SolveStatus) {
		for _, v := range s.Vertexes {
			if service == "bad" && v.Error != "" {
				once.Do(func() { close(failed) })
			}
		}
	}})
	if got["good"].Err != nil || got["good"].Digest == "" || got["good"].Duration <= 0 {
		t.Errorf("good: %+v", got["good"])
	}
	wantFailed(t, got["bad"])
}

func wantFailed(t *testing.T, r solve.Result) {
	t.Helper()
	var failed *solve.FailedError
	if !errors.As(r.Err, &failed) || failed.Pushing || r.Digest != "" {
		t.Fatalf("got %+v, want a FailedError of the build and no digest", r)
	}
	if failed.Service != "bad" || !strings.HasPrefix(r.Err.Error(), "building bad: ") || !strings.Contains(r.Err.Error(), "exit code: 7") {
		t.Errorf("got error %v, want building bad, with exit code 7", r.Err)
	}
	for _, part := range []string{"Dockerfile:3", `3 | >>> RUN ["/probe","fail","on","purpose"]`} {
		if !strings.Contains(failed.Lines, part) {
			t.Errorf("no %q in the lines\n%s", part, failed.Lines)
		}
	}
}

func TestDockerfileErrorsShowTheirLines(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	list := plan(t, testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {bad: {build: .}}", "Dockerfile": "FROM scratch\nCOPY none /\n"}))
	var failed *solve.FailedError
	if r := o.build(t.Context(), t, list, solve.RunOptions{})["bad"]; !errors.As(r.Err, &failed) || !strings.Contains(failed.Lines, "2 | >>> COPY none /") {
		t.Errorf("got %+v, want a FailedError with line 2 of the Dockerfile", r)
	}
}

func TestFailFastStopsTheOthers(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	m := newCheckpoint(t)
	lines := services(map[string][]string{
		"bad":  {"meet " + m.addr + " bad", "fail on purpose"},
		"slow": {"meet " + m.addr + " slow"},
	})
	go func() { // only bad may go on, once both are there
		a, b := m.next(t), m.next(t)
		for _, g := range []*waitingStep{a, b} {
			if g != nil && g.name == "bad" {
				g.release()
			}
		}
	}()
	got := o.build(t.Context(), t, plan(t, testkit.WriteTree(t, withProbe(t, lines))), solve.RunOptions{FailFast: true})
	if err := got["slow"].Err; !errors.Is(err, solve.ErrStopped) || err.Error() != "not built: bad failed" {
		t.Errorf("slow: %v", err)
	}
	var failed *solve.FailedError
	if !errors.As(got["bad"].Err, &failed) {
		t.Errorf("bad: %v", got["bad"].Err)
	}
}

// What needs a service that failed is not built, and says why.
func TestFailedLink(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	list := plan(t, testkit.WriteTree(t, withProbe(t, map[string]string{"compose.yaml": `services:
  bad: {build: {context: ., dockerfile: Bad}}
  needs: {build: {context: ., dockerfile_inline: FROM bad, additional_contexts: {bad: "service:bad"}}}
`, "Bad": probing("fail on purpose")})))
	got := o.build(t.Context(), t, list, solve.RunOptions{})
	if err := got["needs"].Err; !errors.Is(err, solve.ErrStopped) || !strings.Contains(err.Error(), "bad") {
		t.Errorf("needs: got error %v, want ErrStopped that names bad", err)
	}
	if !errors.As(got["bad"].Err, new(*solve.FailedError)) {
		t.Errorf("bad: got error %v, want a FailedError", got["bad"].Err)
	}
}

// With no limit all meet; with a limit of one, a service is done before the next begins.
func TestJobs(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	m := newCheckpoint(t)
	lines := map[string][]string{}
	for _, name := range []string{"a", "b", "c"} {
		lines[name] = []string{"meet " + m.addr + " " + name}
	}
	list := plan(t, testkit.WriteTree(t, withProbe(t, services(lines))))
	go func() {
		steps := []*waitingStep{m.next(t), m.next(t), m.next(t)}
		for _, g := range steps {
			g.release()
		}
	}()
	o.mustBuild(t, list, solve.RunOptions{})

	for i := range list { // other steps than before, so that they are not cached
		list[i].DockerfileInline += "RUN [\"/probe\",\"see\",\"time\",\"/time\"]\n"
	}
	var order []string
	var mu sync.Mutex
	o.mustBuild(t, list, solve.RunOptions{Jobs: 1, Status: func(service string, _ *client.SolveStatus) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, service)
	}})
	if runs := slices.Compact(order); len(runs) != 3 {
		t.Errorf("with one job the progress comes from %v", runs)
	}
}

// A cancelled build returns, with its results, while a step would run forever.
func TestCancel(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	m := newCheckpoint(t)
	list := plan(t, testkit.WriteTree(t, withProbe(t, services(map[string][]string{
		"hangs": {"meet " + m.addr + " hangs"},
		"waits": {"meet " + m.addr + " waits"},
	}))))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		m.next(t)
		cancel()
	}()
	done := make(chan map[string]solve.Result, 1)
	go func() { done <- o.build(ctx, t, list, solve.RunOptions{Jobs: 1}) }()
	select {
	case got := <-done:
		for name, r := range got {
			if !errors.Is(r.Err, context.Canceled) || r.Digest != "" {
				t.Errorf("%s: got %+v, want context.Canceled and no digest", name, r)
			}
		}
	case <-time.After(limit):
		t.Fatal("the build goes on")
	}
}

// A session that cannot be opened is not the failure of one target.
func TestRunWithoutTheDirectory(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	_, err := solve.Run(t.Context(), o.engines, []target.Target{{Service: "a", Context: target.Context{Dir: "/no/such/directory"}}}, solve.RunOptions{Login: anonymous})
	if err == nil || !strings.Contains(err.Error(), "/no/such/directory") {
		t.Errorf("Run = %v, want an error that names /no/such/directory", err)
	}
}

// One that fails stops the others, but not what was pushed before.
func TestFailFastKeepsWhatWasPushed(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	list := plan(t, testkit.WriteTree(t, map[string]string{"who": t.Name(), "compose.yaml": `services:
  good: {build: {context: ., dockerfile_inline: "FROM scratch\nCOPY who /who"}}
  bad: {build: {context: ., additional_contexts: {base: "service:good"}, dockerfile_inline: "FROM base\nCOPY missing /missing"}}
`}))
	push := o.pushes(list)
	for name, p := range push {
		_, to := target.RegistryCache(o.host + "/" + name + ":buildcache")
		p.CacheTo = []target.Cache{to}
		push[name] = p
	}
	got := o.build(t.Context(), t, list, solve.RunOptions{FailFast: true, Push: push})
	if got["bad"].Err == nil || got["good"].Err != nil || got["good"].Digest == "" {
		t.Fatalf("got %+v, want an image of good and an error of bad", got)
	}
	o.want(t, got["good"], map[string]string{"who": t.Name()})
}
