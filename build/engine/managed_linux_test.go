package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/build/engine"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// managedEngineUser makes the test binary a job that uses the engine in the directory it
// names until it is killed.
const managedEngineUser = "SLIPWAY_TEST_MANAGED_ENGINE_USER"

func useManagedEngine(dir string) {
	found, err := engine.Find(context.Background(), engine.Options{Address: string(engine.Managed), StateDir: dir, Binary: buildkitd()})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready at", found[0].Address)
	io.Copy(io.Discard, os.Stdin) // for ever: nobody closes it
}

func buildkitd() string {
	if path := os.Getenv("SLIPWAY_TEST_BUILDKITD"); path != "" {
		return path
	}
	path, err := filepath.Abs("../../.tools/bin/buildkitd")
	if err != nil {
		panic(err)
	}
	return path
}

// stateDir is a new state directory; what was left running in it is ended.
func stateDir(t *testing.T) string {
	t.Helper()
	dir := testkit.ShortDir(t)
	t.Cleanup(func() {
		if pid := pidIn(dir); alive(pid) {
			t.Errorf("engine %d was left behind", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return dir
}

// pidIn finds the engine of a state directory among all processes, by its command line.
func pidIn(dir string) int {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well formed
	for _, line := range lines {
		text, err := os.ReadFile(line)
		if err != nil || !strings.Contains(string(text), "unix://"+filepath.Join(dir, "buildkitd.sock")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(line))); err == nil {
			return pid
		}
	}
	return 0
}

// alive tells whether the process runs; one that ended and was not waited for does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if pid == 0 || err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// startPiped starts a process and returns its stdin and stdout.
func startPiped(t *testing.T, cmd *exec.Cmd) (io.WriteCloser, *bufio.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return in, bufio.NewReader(out)
}

func startManaged(t *testing.T, dir string) *engine.Engine {
	t.Helper()
	found, err := engine.Find(t.Context(), engine.Options{Address: string(engine.Managed), AddressFrom: "--engine", StateDir: dir, Binary: buildkitd()})
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

func closeEngine(t *testing.T, e *engine.Engine) {
	t.Helper()
	if err := e.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// Two jobs share one daemon, and the last one stops it; its cache stays.
func TestManagedEngineIsShared(t *testing.T) {
	enginetest.Require(t)
	t.Parallel()
	dir := stateDir(t)
	one, two := make(chan *engine.Engine, 1), make(chan *engine.Engine, 1)
	for _, c := range []chan *engine.Engine{one, two} {
		go func() { defer close(c); c <- startManaged(t, dir) }()
	}
	a, b := <-one, <-two
	if a == nil || b == nil {
		t.Fatal("no engine")
	}
	pid := pidIn(dir)
	if a.Address != b.Address || a.Fresh == b.Fresh || a.Kind != engine.Managed || a.Why != "asked for with --engine" {
		t.Errorf("%+v and %+v", a, b)
	}
	closeEngine(t, a)
	if _, err := b.Client.ListWorkers(t.Context()); err != nil || !alive(pid) {
		t.Errorf("the engine is gone under the second job: %v", err)
	}
	closeEngine(t, b)
	if alive(pid) || pidIn(dir) != 0 {
		t.Errorf("engine %d runs on", pid)
	}
	again := startManaged(t, dir)
	if again.Fresh {
		t.Error("the second engine knows nothing of the first one's cache")
	}
	closeEngine(t, again)
}

// The daemon of a job that was killed serves the next job, which stops it.
func TestManagedEngineLeftBehind(t *testing.T) {
	enginetest.Require(t)
	t.Parallel()
	dir := stateDir(t)
	killed := exec.Command(os.Args[0])
	killed.Env = append(os.Environ(), managedEngineUser+"="+dir)
	hold, out := startPiped(t, killed)
	defer hold.Close()
	line, _ := out.ReadString('\n')
	killed.Process.Kill()
	killed.Wait() // it was killed: that is its error
	pid := pidIn(dir)
	if !strings.HasPrefix(line, "ready at") || !alive(pid) {
		t.Fatalf("%q, engine %d", line, pid)
	}
	e := startManaged(t, dir)
	if now := pidIn(dir); now != pid || e.Fresh {
		t.Errorf("engine %d took the place of %d", now, pid)
	}
	closeEngine(t, e)
	if alive(pid) {
		t.Errorf("engine %d runs on", pid)
	}
}

// noEngine asks for a managed engine that cannot be had.
func noEngine(t *testing.T, ctx context.Context, o engine.Options) string {
	t.Helper()
	o.Address, o.AddressFrom = string(engine.Managed), "--engine"
	_, err := engine.Find(ctx, o)
	var none *engine.NotFoundError
	if !errors.As(err, &none) || len(none.Causes) == 0 {
		t.Fatalf("want a *engine.NotFoundError with a hint, have %v", err)
	}
	return err.Error()
}

// script is a program in the daemon's place.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "buildkitd")
	testkit.WriteProgram(t, path, text)
	return path
}

func TestManagedEngineThatEndsShowsItsLog(t *testing.T) {
	enginetest.Require(t)
	t.Parallel()
	text := noEngine(t, t.Context(), engine.Options{StateDir: stateDir(t), Binary: script(t, "for i in 1 2 3 4 5; do echo line $i; done; exit 3\n")})
	if want := "no BuildKit engine: buildkitd ended at once: exit status 3; its log ends: line 3 | line 4 | line 5"; text != want {
		t.Errorf("have %s\nwant %s", text, want)
	}
}

// A daemon that does not come up is ended with the job that started it.
func TestManagedEngineThatHangs(t *testing.T) {
	enginetest.Require(t)
	t.Parallel()
	dir := stateDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	text := noEngine(t, ctx, engine.Options{StateDir: dir, Binary: script(t, "echo $$ > "+dir+"/script.pid; echo starting; sleep 300 & trap 'kill $!; exit' TERM; wait\n")})
	if !strings.Contains(text, "buildkitd does not answer") || !strings.HasSuffix(text, "its log ends: starting") {
		t.Errorf("Find = %s, want that buildkitd does not answer, and its log: starting", text)
	}
	pid, err := os.ReadFile(filepath.Join(dir, "script.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(pid))); err != nil || alive(n) {
		t.Errorf("process %d runs on, %v", n, err)
	}
}

func TestManagedEngineCannotStart(t *testing.T) {
	enginetest.Require(t)
	t.Parallel()
	long := filepath.Join(testkit.ShortDir(t), strings.Repeat("long", 30))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]engine.Options{
		"no such file or directory": {StateDir: stateDir(t), Binary: "/no/such/buildkitd"},
		"too long for a socket":     {StateDir: long, Binary: buildkitd()},
		"not a directory":           {StateDir: file + "/below", Binary: buildkitd()},
	} {
		if text := noEngine(t, t.Context(), o); !strings.Contains(text, want) {
			t.Errorf("%s lacks %q", text, want)
		}
	}
}

func TestManagedEngineWithoutABinary(t *testing.T) {
	enginetest.Require(t)
	t.Setenv("PATH", t.TempDir())
	if text := noEngine(t, t.Context(), engine.Options{StateDir: stateDir(t)}); !strings.Contains(text, "no buildkitd next to slipway or in PATH") {
		t.Errorf("Find = %s, want that there is no buildkitd", text)
	}
}

// While another job starts or stops the daemon, a job waits, but not for ever.
func TestManagedEngineWaitsAtTheGate(t *testing.T) {
	enginetest.Require(t)
	t.Parallel()
	dir := stateDir(t)
	gate, err := os.Create(filepath.Join(dir, "gate.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	if err := syscall.Flock(int(gate.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if text := noEngine(t, ctx, engine.Options{StateDir: dir, Binary: buildkitd()}); !strings.Contains(text, "waiting for "+dir+"/gate.lock") {
		t.Errorf("Find = %s, want that it waits for %s/gate.lock", text, dir)
	}
}
