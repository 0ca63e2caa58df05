// Package lint holds the rules that `make check` runs and pins the programs
// that run them. Its tests show that the rules bite.
package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	siblings = "stages do not import each other"
	upwards  = "knows nothing of it"
)

var stages = []string{"artifact", "build", "buildspec", "engine", "registry", "revision", "rollout"}

// offence is a file with an import, and a part of the reason against it, or ""
// if it is allowed.
type offence struct{ file, imports, reason string }

func offences() []offence {
	list := []offence{
		{"buildspec/aws.go", "github.com/aws/sdk", "works with no account"},
		{"revision/aws.go", "github.com/aws/sdk", "asks AWS nothing"},
		{"engine/aws.go", "github.com/aws/sdk", "without an account"},
		{"internal/awsname/aws.go", "github.com/aws/sdk", "works with no account"},
		{"internal/awsname/registry.go", "slipway/registry", "it imports none"},
		{"buildspec/awsname.go", "slipway/internal/awsname", ""},
		{"registry/awsname.go", "slipway/internal/awsname", ""},
		{"revision/exec.go", "os/exec", "through internal/safegit"},
		{"artifact/exec.go", "os/exec", "through internal/safegit"},
		{"revision/exec_test.go", "os/exec", ""},
		{"registry/aws.go", "github.com/aws/sdk", ""},
		{"internal/allow/aws.go", "github.com/aws/sdk", "are pure"},
		{"internal/allow/registry.go", "slipway/registry", "are pure"},
		{"internal/allow/own_test.go", "slipway/internal/allow", ""},
		{"internal/allow/awsname.go", "slipway/internal/awsname", ""},
		{"internal/allow/shell.go", "slipway/internal/shell", ""},
		{"internal/trust/registry.go", "slipway/registry", "need no other part"},
		{"internal/tagname/registry.go", "slipway/registry", "need no other part"},
		{"internal/shell/registry.go", "slipway/registry", "needs none"},
		{"cmd/allow.go", "slipway/internal/allow", ""},
		{"registry/cobra.go", "github.com/spf13/cobra", "end at cmd"},
		{"registry/pflag.go", "github.com/spf13/pflag", "end at cmd"},
		{"internal/sandbox/log.go", "github.com/rs/zerolog", "only cmd logs"},
		{"registry/output.go", "slipway/internal/output", "only cmd prints"},
		{"cmd/output.go", "slipway/internal/output", ""},
		{"cmd/slipway-sandbox/output.go", "slipway/internal/output", ""},
		{"build/plain.go", "slipway/internal/plain", ""},
		{"cmd/cobra.go", "github.com/spf13/cobra", ""},
		{"cmd/slipway-sandbox/log.go", "github.com/rs/zerolog", ""},
		{"cmd/sandbox.go", "slipway/internal/sandbox", "no special mode"},
		{"registry/sandbox.go", "slipway/internal/sandbox", "no special mode"},
		{"registry/sandbox_test.go", "slipway/internal/sandbox", ""},
		{"bench/sandbox.go", "slipway/internal/sandbox", ""},
		{"cmd/slipway-sandbox/sandbox.go", "slipway/internal/sandbox", ""},
		{"cmd/engine.go", "slipway/internal/enginetest", "for tests only"},
		{"cmd/engine_test.go", "slipway/internal/enginetest", ""},
		{"cmd/docker.go", "slipway/internal/dockertest", "for tests only"},
		{"cmd/docker_test.go", "slipway/internal/dockertest", ""},
		{"build/docker.go", "slipway/internal/dockertest", "for tests only"},
		{"internal/enginetest/cmd/leftout/docker.go", "slipway/internal/dockertest", ""},
		{"build/daemon.go", "slipway/internal/daemontest", "for tests only"},
		{"internal/enginetest/daemon.go", "slipway/internal/daemontest", ""},
		{"internal/dockertest/daemon.go", "slipway/internal/daemontest", ""},
		{"internal/testtools/daemon.go", "slipway/internal/daemontest", ""},
		{"cmd/tools.go", "slipway/internal/testtools", "for tests only"},
		{"cmd/tools_test.go", "slipway/internal/testtools", ""},
		{"internal/enginetest/cmd/leftout/tools.go", "slipway/internal/testtools", ""},
		{"internal/awsclient/registry.go", "slipway/registry", "know none of them"},
		{"internal/awsclient/own_test.go", "slipway/internal/awsclient", ""},
	}
	for _, from := range stages {
		list = append(list, offence{from + "/cmd.go", "slipway/cmd", upwards})
		list = append(list, offence{from + "/own_test.go", "slipway/" + from, ""})
		for _, to := range stages {
			if to != from {
				list = append(list, offence{from + "/" + to + ".go", "slipway/" + to, siblings})
			}
		}
	}
	return list
}

// TestRules lays out a small Slipway in which each import stands in a package
// of its own, in a directory that is itself called build: the rules must go by
// the checkout, not by any directory's name.
func TestRules(t *testing.T) {
	root := filepath.Join(t.TempDir(), "build")
	write(t, root, "go.mod", module("slipway"))
	rules, err := os.ReadFile("imports.toml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, root, ".depguard.toml", strings.ReplaceAll(string(rules), "ROOT", root))
	for _, p := range append([]string{"cmd", "internal/allow", "internal/awsclient", "internal/awsname", "internal/output", "internal/plain", "internal/shell", "internal/sandbox", "internal/enginetest", "internal/dockertest", "internal/daemontest", "internal/testtools"}, stages...) {
		write(t, root, p+"/doc.go", "package p\n")
	}
	for _, m := range outside {
		write(t, root, "outside/"+m+"/go.mod", "module "+m+"\n\ngo 1.26\n")
		write(t, root, "outside/"+m+"/doc.go", "package p\n")
	}
	list := offences()
	for _, o := range list {
		write(t, root, place(o), "package p_test\n\nimport _ \""+o.imports+"\"\n")
	}
	said := depguard(t, root)
	for _, o := range list {
		lines := slices.DeleteFunc(strings.Split(said, "\n"), func(l string) bool { return !strings.Contains(l, place(o)+":") })
		switch got := strings.Join(lines, "\n"); {
		case o.reason == "" && got != "":
			t.Errorf("%s may import %s, but: %s", o.file, o.imports, got)
		case o.reason != "" && !strings.Contains(got, o.reason):
			t.Errorf("%s imports %s and should hear %q, but: %q", o.file, o.imports, o.reason, got)
		}
	}
}

var outside = []string{"github.com/aws/sdk", "github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/rs/zerolog"}

// place gives every offence a directory of its own below its package, so that
// imports which go round in a circle do not stop the go command.
func place(o offence) string {
	dir, file := filepath.Split(o.file)
	return dir + strings.NewReplacer(".go", "", "_test", "").Replace(file) + "_case/" + file
}

func module(path string) string {
	var b strings.Builder
	b.WriteString("module " + path + "\n\ngo 1.26\n")
	for _, m := range outside {
		b.WriteString("require " + m + " v0.0.0\nreplace " + m + " => ./outside/" + m + "\n")
	}
	return b.String()
}

func depguard(t *testing.T, dir string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "depguard")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/OpenPeeDeeP/depguard/v2/cmd/depguard").CombinedOutput(); err != nil {
		t.Fatalf("building depguard: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), bin, "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("depguard found nothing at all:\n%s", out)
	}
	return string(out)
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
