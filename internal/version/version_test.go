package version

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

func TestOf(t *testing.T) {
	vcs := func(version, commit, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main:     debug.Module{Version: version},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: commit}, {Key: "vcs.modified", Value: modified}},
		}
	}
	installed := func(version string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}}
	}
	for name, c := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"tag":                        {vcs("v1.2.3", commit, "false"), "v1.2.3"},
		"tag with changes":           {vcs("v1.2.3+dirty", commit, "true"), "v1.2.3+dirty"},
		"release candidate":          {vcs("v1.2.3-rc.1", commit, "false"), "v1.2.3-rc.1"},
		"after a tag":                {vcs("v1.2.4-0.20261127000000-0123456789ab", commit, "false"), "devel 0123456789ab"},
		"before any tag":             {vcs("v0.0.0-20261127000000-0123456789ab+dirty", commit, "true"), "devel 0123456789ab-dirty"},
		"commit without a version":   {vcs("(devel)", commit, "false"), "devel 0123456789ab"},
		"no version at all":          {vcs("", commit, "true"), "devel 0123456789ab-dirty"},
		"installed tag":              {installed("v1.2.3"), "v1.2.3"},
		"installed commit":           {installed("v0.0.0-20261127000000-0123456789ab"), "devel 0123456789ab"},
		"installed commit, modified": {installed("v0.0.0-20261127000000-0123456789ab+dirty"), "devel 0123456789ab-dirty"},
		"no commit":                  {installed(""), "(devel)"},
		"no information":             {nil, "(unknown)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Of(c.info); got != c.want {
				t.Errorf("Of returned %q, want %q", got, c.want)
			}
		})
	}
}

// TestOfBuild builds a program in a repository of its own: before any tag, at a
// tag, and after it.
func TestOfBuild(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		return run(t, dir, "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
	}
	write(t, filepath.Join(dir, "go.mod"), "module example.com/program\n\ngo 1.26\n")
	write(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() {}\n")
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "first")
	first := git("rev-parse", "--short=12", "HEAD")
	if got := built(t, dir); got != "devel "+first {
		t.Errorf("before any tag the version is %q, want the commit %s", got, first)
	}
	git("tag", "v1.2.3")
	if got := built(t, dir); got != "v1.2.3" {
		t.Errorf("at the tag v1.2.3 the version is %q", got)
	}
	write(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() { println() }\n")
	if got := built(t, dir); got != "v1.2.3+dirty" {
		t.Errorf("at the tag v1.2.3 with changes the version is %q", got)
	}
	git("commit", "-q", "-a", "-m", "second")
	second := git("rev-parse", "--short=12", "HEAD")
	if got := built(t, dir); got != "devel "+second {
		t.Errorf("after the tag the version is %q, want the commit %s", got, second)
	}
}

// built builds the program in dir and returns the version of the result.
func built(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	run(t, dir, "go", "build", "-buildvcs=true", "-o", program, ".")
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	return Of(info)
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
