package main

import (
	"bytes"
	"debug/buildinfo"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"slipway/buildspec"
	"slipway/internal/daemontest"
	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/internal/testtools"
	"slipway/internal/version"
)

// TestInstall does what a CodeBuild job does with a release: it runs the
// commands of a generated buildspec, which download a tarball, install it and
// build a project with the engine in it. The tarball is the one for this machine
// in $SLIPWAY_TEST_DIST, or one that the test packs.
func TestInstall(t *testing.T) {
	enginetest.Require(t)
	testtools.Require(t, testtools.Curl)
	tarball, sum := findTarball(t)
	server := httptest.NewTLSServer(http.FileServer(http.Dir(filepath.Dir(tarball))))
	defer server.Close()
	job := newJob(t, server)
	text, err := buildspec.Spec{
		Install: &buildspec.Download{URL: server.URL + "/" + filepath.Base(tarball), SHA256: sum},
		Args:    []string{"--create-repositories", "--engine", "own", "--engine-state", filepath.Join(job.dir, "engine"), "--engine-network", network()},
	}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if out := job.run(commands(t, text) + "echo hash=$SLIPWAY_HASH\n"); !strings.Contains(out, "\nhash=") || strings.HasSuffix(out, "\nhash=\n") {
		t.Errorf("the job has no SLIPWAY_HASH at its end; it printed\n%s", out)
	}
	if got, want := names(t, job.bin), contents[runtime.GOOS]; !slices.Equal(got, want) {
		t.Errorf("the job installed %q, want %q", got, want)
	}
	info, err := buildinfo.ReadFile(filepath.Join(job.bin, slipway))
	if err != nil {
		t.Fatal(err)
	}
	want := "slipway " + version.Of(info) + " " + info.GoVersion + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	if got := job.run("slipway version\n"); got != want {
		t.Errorf("slipway version prints %q, want %q", got, want)
	}
	if prefix := "slipway-" + strings.ReplaceAll(version.Of(info), " ", "-") + "-"; !strings.HasPrefix(filepath.Base(tarball), prefix) {
		t.Errorf("the tarball is called %s, want a name that begins with %s", filepath.Base(tarball), prefix)
	}
}

// findTarball returns the path of a release for this machine and its checksum.
func findTarball(t *testing.T) (path, sum string) {
	t.Helper()
	dir := os.Getenv("SLIPWAY_TEST_DIST")
	if dir == "" {
		dir = packTools(t)
	}
	suffix := "-" + runtime.GOOS + "-" + runtime.GOARCH + ".tar.gz"
	for line := range strings.Lines(string(read(t, filepath.Join(dir, sums)))) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if strings.HasSuffix(name, suffix) {
			return filepath.Join(dir, name), sum
		}
	}
	t.Fatalf("%s names no file that ends with %s", filepath.Join(dir, sums), suffix)
	return "", ""
}

// packTools packs slipway and the engine of .tools/bin, and returns the
// directory that it wrote.
func packTools(t *testing.T) string {
	t.Helper()
	dir, out := t.TempDir(), t.TempDir()
	tools, err := daemontest.Tools()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range contents[runtime.GOOS] {
		if name == slipway {
			continue
		}
		if err := os.Symlink(filepath.Join(tools, "bin", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, slipway), "slipway/cmd/slipway")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, text)
	}
	programs, err := readPrograms(dir)
	if err != nil {
		t.Fatal(err)
	}
	own := programs[len(programs)-1] // the last by name
	r := release{version.Of(own.info), own.platform(), time.Unix(1e9, 0), programs}
	if err := r.write(out); err != nil {
		t.Fatal(err)
	}
	if err := writeSums(out); err != nil {
		t.Fatal(err)
	}
	return out
}

// job is a build container: a directory for programs, and one with the source.
type job struct {
	t   *testing.T
	dir string
	bin string
	env []string
}

// newJob returns a job that trusts the server's certificate and whose AWS is a
// sandbox.
func newJob(t *testing.T, server *httptest.Server) *job {
	t.Helper()
	aws := testkit.StartSandbox(t, sandbox.Options{})
	dir := t.TempDir()
	j := &job{t: t, dir: dir, bin: filepath.Join(dir, "bin")}
	if err := os.Mkdir(j.bin, 0o700); err != nil {
		t.Fatal(err)
	}
	writeProject(t, filepath.Join(dir, "source"))
	ca := testkit.AuthorityFile(t, server)
	j.env = append(aws.Env(), "PATH="+j.bin+":/usr/sbin:/usr/bin:/sbin:/bin", "HOME="+dir, "TMPDIR="+dir, "CURL_CA_BUNDLE="+ca)
	return j
}

// writeProject writes a compose project whose build runs a program.
func writeProject(t *testing.T, dir string) {
	t.Helper()
	for name, text := range map[string]string{
		"compose.yaml": "name: shop\nservices:\n  web:\n    build: .\n",
		"Dockerfile":   "FROM scratch\nCOPY hello /\nRUN [\"/hello\"]\n",
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Compile(t, "package main\n\nfunc main() {}\n", filepath.Join(dir, "hello"))
}

// network returns bridge where the CNI plugins of the release can be used.
func network() string {
	if _, err := exec.LookPath("iptables"); err == nil && os.Geteuid() == 0 {
		return "bridge"
	}
	return "auto"
}

// run runs a shell script in the source's directory and returns its output.
func (j *job) run(script string) string {
	j.t.Helper()
	cmd := exec.CommandContext(j.t.Context(), "sh", "-c", strings.ReplaceAll(script, "/usr/local/bin", j.bin))
	cmd.Dir, cmd.Env = filepath.Join(j.dir, "source"), j.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		j.t.Fatalf("the script failed: %v\n%s\n%s\n%s", err, script, out, &stderr)
	}
	return string(out)
}

// commands returns the commands of a buildspec's build phase as a shell script,
// which ends at the first command that fails, as CodeBuild does.
func commands(t *testing.T, text []byte) string {
	t.Helper()
	var spec struct {
		Phases struct {
			Build struct {
				Commands []string
			}
		}
	}
	if err := yaml.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, c := range spec.Phases.Build.Commands {
		script.WriteString(c + "\n[ $? -eq 0 ] || exit 9\n")
	}
	return script.String()
}

// names returns the names of the files in a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
