package buildspec

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"slipway/internal/golden"
)

const someSHA = "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac"

var specs = map[string]Spec{
	"image":   {Files: []string{"imagedefinitions.json"}},
	"program": {Install: &Download{"https://example.com/dl/slipway?v=1.2", someSHA}, Files: []string{"imagedefinitions.json"}},
	"archive": {
		Install: &Download{"s3://tools/slipway 1.tar.gz", someSHA},
		Args:    []string{"--create-repositories", "-f", "a b/it's.yaml", "express"},
		Files:   []string{"out/imagedefinitions-a.json", "out/imagedefinitions-b.json"},
	},
	"pull-request": {Args: []string{"--untrusted"}},
}

func TestYAML(t *testing.T) {
	for name, s := range specs {
		t.Run(name, func(t *testing.T) {
			text, err := s.YAML()
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "generated-"+name+".yml.golden", text)
			report, err := Check(text)
			if err != nil || len(report.Findings) > 0 {
				t.Errorf("it does not stand its own check: %v %+v", err, report.Findings)
			}
		})
	}
}

// TestManual: the page shows the generated file.
func TestManual(t *testing.T) {
	page, err := os.ReadFile("../docs/codebuild.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := specs["image"].YAML()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```yaml\n"+string(text)+"```\n") {
		t.Errorf("docs/codebuild.md does not show\n%s", text)
	}
	for _, r := range slices.Concat(shapeRules, imageRules, shellRules) {
		if !strings.Contains(string(page), "`"+r.name+"`") {
			t.Errorf("docs/codebuild.md does not list the rule %s", r.name)
		}
	}
}

func TestDownloadRefused(t *testing.T) {
	for _, tt := range []struct{ url, sum, field string }{
		{"", someSHA, "URL"},
		{"http://example.com/slipway", someSHA, "URL"},
		{"https://example.com", someSHA, "URL"},
		{"https:///slipway", someSHA, "URL"},
		{"s3://bucket", someSHA, "URL"},
		{"https://user:h1dden@example.com/slipway", someSHA, "URL"},
		{"http://user:h1dden@example.com/slipway", someSHA, "URL"},
		{"https://exa mple.com/%zz", someSHA, "URL"},
		{"/usr/bin/slipway", someSHA, "URL"},
		{"https://example.com/slipway", "", "SHA256"},
		{"https://example.com/slipway", someSHA[1:], "SHA256"},
		{"https://example.com/slipway", strings.ToUpper(someSHA), "SHA256"},
	} {
		_, err := Spec{Install: &Download{tt.url, tt.sum}}.YAML()
		var bad *InstallError
		if !errors.As(err, &bad) || bad.Field != tt.field || bad.Hint() == "" {
			t.Errorf("%q %q: got %v, want an error in %s", tt.url, tt.sum, err, tt.field)
		}
		if err != nil && strings.Contains(err.Error(), "h1dden") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// job is a build container with programs of its own in PATH.
type job struct {
	t   *testing.T
	dir string
	bin string
	// stubs reports whether the programs only record their arguments.
	stubs bool
}

func newJob(t *testing.T) *job {
	j := &job{t: t, dir: t.TempDir(), bin: t.TempDir(), stubs: true}
	// The requests, in order, and the arguments of slipway.
	j.program("slipway", `printf '<%s>' "$@" >>calls; echo >>calls; echo building >&2; printf 'SLIPWAY_HASH=%s\nSLIPWAY_REVISION=%s\n' 1a2b 1a2b.2; exit ${CODE:-0}`)
	j.program("curl", `while [ $# -gt 0 ]; do case $1 in -o) shift; to=$1;; http*) echo "curl $1" >>calls;; esac; shift; done; cp "$SERVED" "$to"`)
	j.program("aws", `echo "aws $4" >>calls; cp "$SERVED" "$5"`)
	j.program("install", `echo "install $4" >>calls`)
	j.program("tar", `cmp "$2" "$SERVED" && echo "tar $4" >>calls`)
	return j
}

// installed is where programs go: the job's own directory, or what the commands name where
// the programs are stubs.
func (j *job) installed() string {
	if j.stubs {
		return installed
	}
	return j.bin
}

func (j *job) program(name, script string) {
	j.t.Helper()
	if err := os.WriteFile(filepath.Join(j.bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		j.t.Fatal(err)
	}
}

// run does as CodeBuild does: the commands of the build phase in one shell, none behind
// one that failed. It returns what was called, then what later pipeline actions see.
func (j *job) run(s Spec, env ...string) (calls, exported string, err error) {
	j.t.Helper()
	text, err := s.YAML()
	if err != nil {
		j.t.Fatal(err)
	}
	var d struct {
		Env struct {
			Exported []string `yaml:"exported-variables"`
		}
		Phases map[string]struct{ Commands []string }
	}
	if err := yaml.Unmarshal(text, &d); err != nil {
		j.t.Fatal(err)
	}
	if len(d.Phases) != 1 {
		j.t.Errorf("phases: %v", d.Phases)
	}
	var script strings.Builder
	for _, c := range d.Phases["build"].Commands {
		script.WriteString(c + "\n[ $? -eq 0 ] || exit 9\n")
	}
	for _, v := range d.Env.Exported {
		fmt.Fprintf(&script, "sh -c 'echo %s=$%[1]s'\n", v)
	}
	// Where it goes is the job's own directory here.
	shell := strings.ReplaceAll(script.String(), installed, j.installed())
	cmd := exec.CommandContext(j.t.Context(), "sh", "-c", shell)
	cmd.Dir, cmd.Env = j.dir, append([]string{"PATH=" + j.bin + ":" + os.Getenv("PATH"), "TMPDIR=" + j.dir}, env...)
	out, err := cmd.Output()
	data, readErr := os.ReadFile(filepath.Join(j.dir, "calls"))
	if readErr != nil && !os.IsNotExist(readErr) {
		j.t.Fatal(readErr)
	}
	return string(data), string(out), err
}

const bothVariables = "SLIPWAY_HASH=1a2b\nSLIPWAY_REVISION=1a2b.2\n"

func TestJob(t *testing.T) {
	for name, args := range map[string][]string{
		"plain":  nil,
		"quoted": {"-f", "a b/it's $HOME.yaml", "--hash=a`b", "", "*", "express"},
	} {
		t.Run(name, func(t *testing.T) {
			calls, exported, err := newJob(t).run(Spec{Args: args})
			want := "<build><--output><env>"
			for _, a := range args {
				want += "<" + a + ">"
			}
			if err != nil || calls != want+"\n" || exported != bothVariables {
				t.Errorf("calls %q, want %q; exported %q; %v", calls, want, exported, err)
			}
		})
	}
}

func TestJobFails(t *testing.T) {
	_, exported, err := newJob(t).run(Spec{}, "CODE=3")
	if err == nil || exported != "" {
		t.Errorf("a failed build: %v, exported %q", err, exported)
	}
}

func TestJobInstalls(t *testing.T) {
	served := filepath.Join(t.TempDir(), "served")
	if err := os.WriteFile(served, []byte("program"), 0o644); err != nil {
		t.Fatal(err)
	}
	right := fmt.Sprintf("%x", sha256.Sum256([]byte("program")))
	for _, tt := range []struct {
		url, sum string
		want     string
		ok       bool
	}{
		{"https://example.com/slipway?a=1&b=$HOME", right, "curl https://example.com/slipway?a=1&b=$HOME\ninstall /usr/local/bin/slipway\n<build><--output><env>\n", true},
		{"s3://tools/slipway.tar.gz", right, "aws s3://tools/slipway.tar.gz\ntar /usr/local/bin\n<build><--output><env>\n", true},
		{"https://example.com/slipway", someSHA, "curl https://example.com/slipway\n", false},
		{"s3://tools/slipway.tgz", someSHA, "aws s3://tools/slipway.tgz\n", false},
	} {
		j := newJob(t)
		calls, _, err := j.run(Spec{Install: &Download{tt.url, tt.sum}}, "SERVED="+served)
		if calls != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: calls %q, want %q; %v", tt.url, calls, tt.want, err)
		}
	}
}

func ExampleSpec_YAML() {
	text, err := Spec{Args: []string{"--rollout"}, Files: []string{"imagedefinitions.json"}}.YAML()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// # Written by slipway buildspec. The CodeBuild project needs privileged mode.
	// # slipway is expected in the build image, with buildkitd and runc for a layer cache.
	// version: 0.2
	// env:
	//   exported-variables: [SLIPWAY_HASH, SLIPWAY_REVISION]
	// phases:
	//   build:
	//     commands:
	//       - variables=$(slipway build --output env --rollout) && export $variables
	// artifacts:
	//   files:
	//     - imagedefinitions.json
}

func ExampleCheck() {
	r, err := Check([]byte("version: 0.1\nphases:\n  build:\n    commands:\n      - slipway build --no-latest || true\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range r.Findings {
		fmt.Println(f.Lines, f.Severity, f.Rule)
	}
	// Output:
	// [1] breaks version
	// [5] note privileged
	// [5] danger failure-hidden
}
