package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/registry"
)

// buildFixture is a project of four services, a sandbox of its own behind a fault
// proxy, and what it takes to run slipway on them as a process of its own.
type buildFixture struct {
	t         *testing.T
	dir, home string
	aws       *sandbox.Server
	proxy     *faultProxy
	env       []string
}

// componentNames are the services of the project.
var componentNames = []string{"a", "b", "c", "d"}

// newBuildFixture returns a project whose files hold seed. Equal seeds make equal images.
func newBuildFixture(t *testing.T, seed string, options sandbox.Options) *buildFixture {
	t.Helper()
	return newBuildFixtureOn(t, seed, options, enginetest.Shared(t).Addr)
}

func newBuildFixtureOn(t *testing.T, seed string, options sandbox.Options, engine string) *buildFixture {
	t.Helper()
	proxy := newFaultProxy(t)
	options.PublicAddr, options.Dir = proxy.host(), t.TempDir()
	aws, err := sandbox.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = aws.Close() }) // engines keep connections open for a while
	proxy.start(t, aws.URL())
	s := &buildFixture{t: t, dir: t.TempDir(), home: t.TempDir(), aws: aws, proxy: proxy}
	s.env = append(s.env, "PATH="+os.Getenv("PATH"), "HOME="+s.home, "BUILDKIT_HOST="+engine, "GIT_CEILING_DIRECTORIES="+filepath.Dir(s.dir),
		// A request that a test holds is not given up while other commands run, however
		// busy the host is.
		"SLIPWAY_AWS_TIMEOUT=5m")
	for _, line := range aws.Env() {
		s.env = append(s.env, strings.ReplaceAll(line, aws.URL(), "http://"+proxy.host()))
	}
	s.writeProject(seed)
	return s
}

// secondCopy returns a second working copy of the same project.
func (s *buildFixture) secondCopy(seed string) *buildFixture {
	s.t.Helper()
	out := *s
	out.dir = s.t.TempDir()
	out.writeProject(seed)
	return &out
}

// writeProject writes the whole project.
func (s *buildFixture) writeProject(seed string) { s.writeServices(seed, componentNames) }

// writeServices writes a project of some of the services.
func (s *buildFixture) writeServices(seed string, names []string) {
	s.t.Helper()
	compose := "name: shop\nservices:\n"
	for _, name := range names {
		compose += fmt.Sprintf("  %s: {build: ./%[1]s}\n", name)
		s.write(name+"/Dockerfile", "FROM scratch\nCOPY file /file\n")
		s.write(name+"/file", name+" "+seed)
	}
	s.write("compose.yaml", compose)
}

// write writes a file of the project. Its time goes into the image and, with its
// size, tells the engine whether it has the file already: it is made from the
// content.
func (s *buildFixture) write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	at := time.Date(2026, 11, 20, 12, 0, int(crc32.ChecksumIEEE([]byte(content))%1e6), 0, time.UTC)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644), os.Chtimes(path, at, at))
	if err != nil {
		s.t.Fatal(err)
	}
}

// process is a running slipway.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	ended          chan struct{}
	code           int
}

// start runs slipway with further arguments and KEY=value variables in front.
func (s *buildFixture) start(args ...string) *process {
	s.t.Helper()
	r := &process{t: s.t, ended: make(chan struct{})}
	env := slices.Clone(s.env)
	for len(args) > 0 && strings.Contains(args[0], "=") && !strings.HasPrefix(args[0], "-") {
		env, args = append(env, args[0]), args[1:]
	}
	r.cmd = exec.CommandContext(s.t.Context(), "slipway", args...)
	r.cmd.Dir, r.cmd.Env = s.dir, env
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	if err := r.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		_ = r.cmd.Wait() // the exit code says it
		r.code = r.cmd.ProcessState.ExitCode()
	}()
	return r
}

// wait waits for the end and checks the exit code.
func (r *process) wait(codes ...int) *process {
	r.t.Helper()
	<-r.ended
	if !slices.Contains(codes, r.code) {
		r.t.Fatalf("%s: exit code %d, want %v\nstdout:\n%s\nstderr:\n%s", strings.Join(r.cmd.Args, " "), r.code, codes, &r.stdout, &r.stderr)
	}
	return r
}

// meets waits until the run has a request held at the gate.
func (r *process) meets(g *gate) request {
	r.t.Helper()
	select {
	case q := <-g.arrived:
		return q
	case <-r.ended:
		r.t.Fatalf("%s ended with %d before it came to the gate\n%s", strings.Join(r.cmd.Args, " "), r.code, &r.stderr)
		return request{}
	}
}

func (r *process) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// says checks that stderr holds some texts.
func (r *process) says(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stderr.String(), text) {
			r.t.Errorf("%q is not in stderr:\n%s", text, &r.stderr)
		}
	}
}

// build runs slipway build for a hash to its end. Variables may stand in front
// of the hash, flags behind it.
func (s *buildFixture) build(args ...string) *process {
	s.t.Helper()
	r := s.startBuild(args...)
	<-r.ended
	return r
}

func (s *buildFixture) startBuild(args ...string) *process {
	s.t.Helper()
	i := slices.IndexFunc(args, func(a string) bool { return !strings.Contains(a, "=") })
	flags := slices.Concat(args[:i], []string{"build", "--create-repositories", "--progress", "plain", "--hash", args[i]}, args[i+1:])
	return s.start(flags...)
}

// quick keeps tries of what fails for ever few.
var quick = []string{"AWS_MAX_ATTEMPTS=2", "SLIPWAY_PUSH_ATTEMPTS=1"}

// tags is every tag with its digest, without those that name inputs, and without
// records.
func (s *buildFixture) tags() map[string]string {
	out := map[string]string{}
	for _, repo := range s.aws.Repositories() {
		for tag, digest := range s.aws.Tags(repo) {
			if !strings.HasPrefix(tag, registry.TagInputs) && !registry.IsRecordTag(tag) {
				out[repo+":"+tag] = digest
			}
		}
	}
	return out
}

// state is all that a job leaves behind: tags, the images of records, policies, and
// the files beside the project's. The registry's address is left out.
func (s *buildFixture) state() map[string]string {
	s.t.Helper()
	out := s.tags()
	for _, repo := range s.aws.Repositories() {
		out["policy of "+repo] = s.aws.Policy(repo)
		for tag := range s.aws.Tags(repo) {
			if registry.IsRecordTag(tag) {
				out["record "+repo+":"+tag] = strings.Join(s.aws.Children(repo, tag), " ")
			}
		}
	}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(s.dir, path)
		out["file "+name] = strings.ReplaceAll(string(data), s.proxy.host(), "REGISTRY")
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// same checks that a state is another's.
func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	keys := slices.Sorted(maps.Keys(want))
	for k := range got {
		if _, ok := want[k]; !ok {
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		if got[k] != want[k] {
			t.Errorf("%s: is %q, want %q", k, got[k], want[k])
		}
	}
}

// complete checks that each repository has a tag, and that latest points to it
// in all of them if it should.
func (s *buildFixture) complete(name string, latest bool) {
	s.t.Helper()
	tags := s.tags()
	for _, component := range componentNames {
		repo := "shop/" + component
		if tags[repo+":"+name] == "" {
			s.t.Errorf("%s has no tag %s", repo, name)
		}
		if latest && tags[repo+":latest"] != tags[repo+":"+name] {
			s.t.Errorf("%s: latest stands on %s, want %s's %s", repo, tags[repo+":latest"], name, tags[repo+":"+name])
		}
	}
}

// calls counts the calls of an action, or of a service when action is "".
func (s *buildFixture) calls(service, action string) int {
	n := 0
	for _, c := range s.aws.Calls() {
		if c.Service == service && (action == "" || c.Action == action) {
			n++
		}
	}
	return n
}
