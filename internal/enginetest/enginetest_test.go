package enginetest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"

	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(enginetest.StopAfter(m).Run()) }

// solve builds the Dockerfile in dir to a directory and returns that.
func solve(t *testing.T, e *enginetest.Engine, dir string) (string, error) {
	t.Helper()
	fs, err := fsutil.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	status := make(chan *client.SolveStatus)
	go func() {
		for s := range status {
			for _, l := range s.Logs {
				t.Logf("%s", l.Data)
			}
		}
	}()
	_, err = e.Client(t).Solve(t.Context(), nil, client.SolveOpt{
		Frontend:    "dockerfile.v0",
		LocalMounts: map[string]fsutil.FS{"context": fs, "dockerfile": fs},
		Exports:     []client.ExportEntry{{Type: client.ExporterLocal, OutputDir: out}},
	}, status)
	return out, err
}

func TestSharedBuildsCopy(t *testing.T) {
	e := enginetest.Shared(t)
	dir := testkit.WriteTree(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /b\n", "a": "one\n"})
	out, err := solve(t, e, dir)
	if err != nil {
		t.Fatalf("building: %v\n%s", err, e.Log())
	}
	if got := testkit.ReadFile(t, filepath.Join(out, "b")); got != "one\n" {
		t.Errorf("/b holds %q, want %q", got, "one\n")
	}
	if again := enginetest.Shared(t); again != e {
		t.Error("the second call started another daemon")
	}
}

// A RUN proves that runc and its cgroups work.
func TestSharedRuns(t *testing.T) {
	e := enginetest.Shared(t)
	dir := testkit.StepContext(t, "/step", "/result")
	out, err := solve(t, e, dir)
	if err != nil {
		t.Fatalf("building: %v\n%s", err, e.Log())
	}
	if got := testkit.ReadFile(t, filepath.Join(out, "result")); got != "ran" {
		t.Errorf("/result holds %q, want ran", got)
	}
}

// The image is only in a registry of the test's own, under Docker Hub's name.
func TestMirror(t *testing.T) {
	host := testkit.StartMirror(t)
	e := enginetest.Start(t, enginetest.Mirror("docker.io", host), enginetest.Mirror("public.ecr.aws", host))
	out, err := solve(t, e, testkit.WriteTree(t, map[string]string{"Dockerfile": "FROM base:1\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := testkit.ReadFile(t, filepath.Join(out, "from-the-mirror")); got != "yes" {
		t.Errorf("the base image holds %q, want yes", got)
	}
}

// cached reports whether the build cache holds anything apart from the daemon's
// own records.
func cached(t *testing.T, e *enginetest.Engine) bool {
	t.Helper()
	usage, err := e.Client(t).DiskUsage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range usage {
		if strings.Contains(u.Description, "COPY a /b") {
			return true
		}
	}
	return false
}

func TestRestartKeepsAndEmptyForgets(t *testing.T) {
	root := t.TempDir()
	e := enginetest.Start(t, enginetest.KeepRoot(root), enginetest.Debug())
	addr := e.Addr
	dir := testkit.WriteTree(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /b\n", "a": "one\n"})
	if _, err := solve(t, e, dir); err != nil {
		t.Fatal(err)
	}
	e.Restart(t)
	if !cached(t, e) {
		t.Error("a restart lost the cache")
	}
	e.Empty(t)
	if cached(t, e) {
		t.Error("an emptied daemon still has the cache")
	}
	if n := strings.Count(e.Log(), "running server on"); n != 3 || !strings.Contains(e.Log(), "level=debug") {
		t.Errorf("the log has %d starts, want 3, at the debug level:\n%s", n, e.Log())
	}
	if e.Addr != addr {
		t.Errorf("the address changed from %s to %s", addr, e.Addr)
	}
}

// After a test, neither the process nor its mounts nor its files are left.
func TestStartLeavesNothing(t *testing.T) {
	enginetest.Require(t)
	var e *enginetest.Engine
	var pid int
	t.Run("use", func(t *testing.T) {
		e = enginetest.Start(t)
		pid = e.PID()
		dir := testkit.WriteTree(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /b\n", "a": "one\n"})
		if _, err := solve(t, e, dir); err != nil {
			t.Fatal(err)
		}
	})
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
	dir := filepath.Dir(strings.TrimPrefix(e.Addr, "unix://"))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	if mounts := testkit.ReadFile(t, "/proc/self/mounts"); strings.Contains(mounts, dir) {
		t.Errorf("mounts under %s are left:\n%s", dir, mounts)
	}
}

// A build step that never ends neither delays the end of the daemon nor outlives
// it.
func TestStopDuringStep(t *testing.T) {
	enginetest.Require(t)
	mark := "step-" + filepath.Base(t.TempDir()) + "-" + strconv.Itoa(os.Getpid())
	t.Run("use", func(t *testing.T) {
		c := enginetest.Start(t).Client(t)
		fs, err := fsutil.NewFS(testkit.StepContext(t, "/step", "wait", mark))
		if err != nil {
			t.Fatal(err)
		}
		status := make(chan *client.SolveStatus)
		go c.Solve(t.Context(), nil, client.SolveOpt{ // its error is the daemon's end
			Frontend:    "dockerfile.v0",
			LocalMounts: map[string]fsutil.FS{"context": fs, "dockerfile": fs},
		}, status)
		var said strings.Builder
		for s := range status {
			for _, l := range s.Logs {
				said.Write(l.Data)
			}
			if strings.Contains(said.String(), "waiting") {
				go func() { // lets Solve finish
					for range status {
					}
				}()
				return
			}
		}
		t.Errorf("the step never ran; it said %q", said.String())
	})
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Fatalf("reading /proc: %v", err)
	}
	for _, l := range lines {
		if b, err := os.ReadFile(l); err == nil && strings.Contains(string(b), mark) {
			t.Errorf("the step is still there: %s: %q", l, b)
		}
	}
}
