package main

import (
	"bufio"
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/daemontest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// servedFixture is a process of `serve --run`.
type servedFixture struct {
	*testing.T
	process *exec.Cmd
	dir     string
	addr    string
	stderr  *bufio.Scanner
	answer  string // of the service; no other service on this host has it
}

// serveRun starts the program. The test is left out where tasks cannot run.
func serveRun(t *testing.T, dir string) servedFixture {
	t.Helper()
	s := testkit.StartSandbox(t, sandbox.Options{Run: true})
	daemontest.Require(t, s.NotRunning(), daemontest.Required())
	c := exec.Command(os.Args[0], "serve", "--run", "--ecs-speed", "60", "--addr", "127.0.0.1:0", "--dir", dir)
	c.Env = []string{"PATH=" + filepath.Dir(testkit.PinnedRunc()) + ":" + os.Getenv("PATH")}
	f := startServe(t, c)
	f.dir = dir
	return f
}

// startServe starts a process of serve and reads its environment and its first
// line on stderr.
func startServe(t *testing.T, c *exec.Cmd) servedFixture {
	t.Helper()
	c.Env = slices.Concat(os.Environ(), c.Env, []string{"RUN_AS_SLIPWAY_SANDBOX=1"}) // the last ones win
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() }) // it may have ended
	f := servedFixture{T: t, process: c, stderr: bufio.NewScanner(stderr), answer: rand.Text()}
	f.addr = strings.TrimPrefix(readEnv(t, stdout)["AWS_ENDPOINT_URL"], "http://")
	f.line("serving ")
	return f
}

// line returns the next line on stderr, which must begin with a text.
func (f servedFixture) line(prefix string) string {
	f.Helper()
	if !f.stderr.Scan() || !strings.HasPrefix(f.stderr.Text(), prefix) {
		f.Fatalf("stderr has %q, want %q…", f.stderr.Text(), prefix)
	}
	return f.stderr.Text()
}

// deploy makes a service of two tasks and returns the address at which it answers.
func (f servedFixture) deploy() string {
	f.Helper()
	f.push(testkit.AppImage(f.T, v1.Config{Cmd: []string{"/app", "serve", ":8080"}, Env: []string{"ANSWER=" + f.answer}}))
	serviceFixture{T: f.T, addr: f.addr, clients: (&endpoint{f.addr, "us-east-1"}).clients()}.must("--port", "web:8080", "--desired", "2", "--wait", "1m")
	return strings.TrimPrefix(f.line("web of shop/web answers at 127.0.0.1:"), "web of shop/web answers at ")
}

// push pushes an image as shop/web.
func (f servedFixture) push(image v1.Image) {
	f.Helper()
	client := (&endpoint{f.addr, "us-east-1"}).clients().ecr
	if _, err := client.CreateRepository(f.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop/web")}); err != nil {
		f.Fatal(err)
	}
	ref, err := name.ParseReference(f.addr + "/shop/web")
	if err != nil {
		f.Fatal(err)
	}
	if err := remote.Write(ref, image, remote.WithAuth(testkit.ECRLogin(f.T, client))); err != nil {
		f.Fatal(err)
	}
}

// wantAnswer fails unless the service answers at an address.
func (f servedFixture) wantAnswer(address string) {
	f.Helper()
	if got, err := f.get(address); err != nil || got != f.answer {
		f.Errorf("the service answers %q, %v, want %s", got, err, f.answer)
	}
}

// get returns what an address answers.
func (f servedFixture) get(address string) (string, error) {
	resp, err := http.Get("http://" + address)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// name returns the name under which the sandbox is recorded on this host.
func (f servedFixture) name() string {
	f.Helper()
	links, err := filepath.Glob("/run/slipway-sandbox/sandbox-*/data")
	if err != nil {
		f.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, f.dir+"/") {
			return filepath.Base(filepath.Dir(link))
		}
	}
	f.Fatalf("no sandbox of %s in %q", f.dir, links)
	return ""
}

// traces returns the traces of a sandbox on this host: files, mounts, cgroups
// and processes.
func (f servedFixture) traces(name string) (out []string) {
	f.Helper()
	for _, pattern := range []string{
		"/run/slipway-sandbox/" + name, f.dir + "/*", "/sys/fs/cgroup/" + name + "-*", "/sys/fs/cgroup/*/" + name + "-*",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, found...)
	}
	for line := range strings.Lines(testkit.ReadFile(f.T, "/proc/self/mountinfo")) {
		if strings.Contains(line, f.dir) {
			out = append(out, "mount "+line)
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range processes {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), name+"-") {
			out = append(out, "process "+file)
		}
	}
	return out
}

// end sends a signal to the program and waits for its end.
func (f servedFixture) end(s os.Signal) error {
	f.Helper()
	if err := f.process.Process.Signal(s); err != nil {
		f.Fatal(err)
	}
	return f.process.Wait()
}

// kinds returns the kinds of a sandbox's traces.
func kinds(traces []string) map[string]bool {
	out := map[string]bool{}
	for _, t := range traces {
		kind, _, _ := strings.Cut(strings.TrimPrefix(t, "/"), "/")
		kind, _, _ = strings.Cut(kind, " ")
		out[kind] = true
	}
	return out
}

// Two tasks with the same port run at once. Nothing is left of them at the end.
func TestServeRunEndsItsTasks(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			f := serveRun(t, t.TempDir())
			address := f.deploy()
			f.wantAnswer(address)
			name := f.name()
			if got := kinds(f.traces(name)); !got["run"] || !got["sys"] || !got["mount"] || !got["process"] {
				t.Errorf("while tasks run, there are %v: traces are not found", got)
			}
			if err := f.end(s); err != nil {
				t.Errorf("ended with %v", err)
			}
			if left := f.traces(name); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			// Another program may have got the port by now.
			if got, err := f.get(address); err == nil && got == f.answer {
				t.Error("the service still answers")
			}
		})
	}
}

// The next sandbox removes the leftovers of a killed one, and nothing of one that
// runs.
func TestServeRunAfterSIGKILL(t *testing.T) {
	killed, other := serveRun(t, t.TempDir()), serveRun(t, t.TempDir())
	killed.deploy()
	address := other.deploy()
	name := killed.name()
	_ = killed.end(syscall.SIGKILL) // that is its result
	if got := kinds(killed.traces(name)); !got["mount"] || !got["process"] {
		t.Errorf("after SIGKILL there are %v: the test shows nothing", got)
	}
	next := serveRun(t, t.TempDir())
	if left := killed.traces(name); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	other.wantAnswer(address)
	for _, f := range []servedFixture{next, other} {
		if err := f.end(syscall.SIGTERM); err != nil {
			t.Errorf("ended with %v", err)
		}
	}
}

// Where tasks cannot run, the program says so and plays them.
func TestServeRunWithoutRunc(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		user   uint32
	}{
		"no runc":          {"no runc next to this program, in .tools/bin, next to buildkitd or in PATH", 0},
		"an ordinary user": {"only root can run containers", 65534},
	} {
		t.Run(name, func(t *testing.T) {
			if os.Getuid() != 0 {
				test.reason = "only root can run containers"
			}
			dir := openDir(t)
			c := exec.Command(filepath.Join(dir, "program"), "serve", "--run", "--ecs-speed", "10000", "--addr", "127.0.0.1:0", "--dir", dir)
			c.Env = []string{"PATH=/nowhere"}
			if test.user != 0 && os.Getuid() == 0 {
				c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: test.user, Gid: test.user}}
			}
			f := startServe(t, c)
			if got := f.line("tasks do not run here"); !strings.Contains(got, test.reason) {
				t.Errorf("stderr has %q, want %q in it", got, test.reason)
			}
			f.push(testkit.AppImage(t, v1.Config{}))
			r := serviceFixture{T: t, addr: f.addr, clients: (&endpoint{f.addr, "us-east-1"}).clients()}
			r.must("--wait", "1m")
			if got := r.described().RunningCount; got != 1 {
				t.Errorf("%d tasks run, want one", got)
			}
			if err := f.end(syscall.SIGTERM); err != nil {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// openDir returns a directory that all users may write to, with this program.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slipway-sandbox-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := testkit.ReadFile(t, os.Args[0])
	if err := os.WriteFile(filepath.Join(dir, "program"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}
