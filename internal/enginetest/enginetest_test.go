package enginetest_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"

	"slipway/internal/enginetest"
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

func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSharedBuildsCopy(t *testing.T) {
	e := enginetest.Shared(t)
	dir := project(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /b\n", "a": "one\n"})
	out, err := solve(t, e, dir)
	if err != nil {
		t.Fatalf("building: %v\n%s", err, e.Log())
	}
	if got := content(t, filepath.Join(out, "b")); got != "one\n" {
		t.Errorf("/b holds %q", got)
	}
	if again := enginetest.Shared(t); again != e {
		t.Error("the second call started another daemon")
	}
}

// A RUN proves that runc and its cgroups work.
func TestSharedRuns(t *testing.T) {
	e := enginetest.Shared(t)
	dir := stepProject(t, "/step", "/result")
	out, err := solve(t, e, dir)
	if err != nil {
		t.Fatalf("building: %v\n%s", err, e.Log())
	}
	if got := content(t, filepath.Join(out, "result")); got != "ran" {
		t.Errorf("/result holds %q", got)
	}
}

// The image is only in a registry of the test's own, under Docker Hub's name.
func TestMirror(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	layer := static.NewLayer(tarOf(t, "from-the-mirror", "yes"), types.DockerUncompressedLayer)
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/library/base:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	e := enginetest.Start(t, enginetest.Mirror("docker.io", host), enginetest.Mirror("public.ecr.aws", host))
	out, err := solve(t, e, project(t, map[string]string{"Dockerfile": "FROM base:1\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, filepath.Join(out, "from-the-mirror")); got != "yes" {
		t.Errorf("the base image holds %q", got)
	}
}

func tarOf(t *testing.T, file, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
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
	e := enginetest.Start(t, enginetest.KeepRoot(root))
	addr := e.Addr
	dir := project(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /b\n", "a": "one\n"})
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
		dir := project(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /b\n", "a": "one\n"})
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
	if mounts := content(t, "/proc/self/mounts"); strings.Contains(mounts, dir) {
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
		fs, err := fsutil.NewFS(stepProject(t, "/step", "wait", mark))
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

// stepProject is a Dockerfile with one RUN of a program that writes "ran" to
// the file it is given, or says "waiting" and waits.
func stepProject(t *testing.T, command ...string) string {
	t.Helper()
	run, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	dir := project(t, map[string]string{
		"Dockerfile": "FROM scratch\nCOPY step /step\nRUN " + string(run) + "\n",
		"main.go": `package main

import (
	"os"
	"time"
)

func main() {
	if os.Args[1] == "wait" {
		os.Stdout.WriteString("waiting\n")
		time.Sleep(time.Hour)
	}
	if err := os.WriteFile(os.Args[1], []byte("ran"), 0o644); err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}
`,
	})
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "step"), filepath.Join(dir, "main.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if b, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compiling the step: %v\n%s", err, b)
	}
	return dir
}
