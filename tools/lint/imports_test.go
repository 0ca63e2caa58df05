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
	pure     = "reads nothing by itself"
	values   = "reading compose files gives values"
	apart    = "the flows do not import each other"
	request  = "targets and requests are values"
	trees    = "know neither targets nor engines"
	mapped   = "are derived from a project"
	setup    = "neither cmd, a flow nor a stage"
)

var (
	stages = []string{"artifact", "build/solve", "build/engine", "build/revision", "buildspec", "registry", "rollout/ecs"}
	flows  = []string{"build", "rollout"}
)

// offence is a file with an import, and a part of the reason against it, or ""
// if it is allowed.
type offence struct{ file, imports, reason string }

func offences() []offence {
	list := []offence{
		{"stack/registry.go", "slipway/registry", "makes no request"},
		{"stack/artifact.go", "slipway/artifact", "makes no request"},
		{"stack/build.go", "slipway/build", "makes no request"},
		{"stack/rollout.go", "slipway/rollout", "makes no request"},
		{"stack/ecs.go", "slipway/rollout/ecs", "makes no request"},
		{"stack/project.go", "slipway/project", "makes no request"},
		{"stack/doctor.go", "slipway/doctor", "makes no request"},
		{"stack/cmd.go", "slipway/cmd", "makes no request"},
		{"stack/sdk.go", "github.com/aws/sdk", "makes no request"},
		{"stack/http.go", "net/http", "makes no request"},
		{"stack/outputs/registry.go", "slipway/registry", "read for a flow"},
		{"stack/outputs/artifact.go", "slipway/artifact", "read for a flow"},
		{"stack/outputs/build.go", "slipway/build", "read for a flow"},
		{"stack/outputs/rollout.go", "slipway/rollout", "read for a flow"},
		{"stack/outputs/ecs.go", "slipway/rollout/ecs", "read for a flow"},
		{"stack/outputs/project.go", "slipway/project", "read for a flow"},
		{"stack/outputs/doctor.go", "slipway/doctor", "read for a flow"},
		{"stack/outputs/cmd.go", "slipway/cmd", "read for a flow"},
		{"stack/task.go", "slipway/rollout/task", ""},
		{"stack/outputs/sdk.go", "github.com/aws/sdk", ""},
		{"stack/outputs/stack.go", "slipway/stack", ""},
		{"project/stack.go", "slipway/stack", ""},
		{"buildspec/aws.go", "github.com/aws/sdk", "works with no account"},
		{"build/revision/aws.go", "github.com/aws/sdk", "makes no AWS request"},
		{"build/engine/aws.go", "github.com/aws/sdk", "without an account"},
		{"internal/awsname/aws.go", "github.com/aws/sdk", "works with no account"},
		{"internal/awsname/registry.go", "slipway/registry", "it imports none"},
		{"buildspec/awsname.go", "slipway/internal/awsname", ""},
		{"registry/awsname.go", "slipway/internal/awsname", ""},
		{"build/revision/exec.go", "os/exec", "through internal/safegit"},
		{"build/inputs/solve.go", "slipway/build/solve", ""},
		{"build/inputs/registry.go", "slipway/registry", siblings},
		{"build/inputs/aws.go", "github.com/aws/sdk", "makes no AWS request"},
		{"build/inputs/target.go", "slipway/build/target", ""},
		{"build/inputs/localfs.go", "slipway/build/localfs", ""},
		{"build/target/solve.go", "slipway/build/solve", request},
		{"build/target/engine.go", "slipway/build/engine", request},
		{"build/target/inputs.go", "slipway/build/inputs", request},
		{"build/target/registry.go", "slipway/registry", request},
		{"build/target/project.go", "slipway/project", request},
		{"build/target/flow.go", "slipway/build", request},
		{"build/target/revision.go", "slipway/build/revision", request},
		{"build/target/artifact.go", "slipway/artifact", request},
		{"build/target/rollout.go", "slipway/rollout", request},
		{"build/target/doctor.go", "slipway/doctor", request},
		{"build/target/cmd.go", "slipway/cmd", request},
		{"build/target/remote.go", "github.com/google/go-containerregistry/pkg/v1/remote", request},
		{"build/target/aws.go", "github.com/aws/sdk", request},
		{"build/target/buildkit.go", "github.com/moby/buildkit/client", ""},
		{"build/target/localfs.go", "slipway/build/localfs", ""},
		{"build/localfs/target.go", "slipway/build/target", trees},
		{"build/localfs/solve.go", "slipway/build/solve", trees},
		{"build/localfs/buildkit.go", "github.com/moby/buildkit/client", trees},
		{"build/localfs/compose.go", "slipway/project/compose", ""},
		{"build/localfs/fault.go", "slipway/internal/fault", ""},
		{"build/localfs/own_test.go", "slipway/build/localfs", ""},
		{"build/solve/target.go", "slipway/build/target", ""},
		{"build/solve/localfs.go", "slipway/build/localfs", ""},
		{"build/engine/target.go", "slipway/build/target", siblings},
		{"build/revision/target.go", "slipway/build/target", siblings},
		{"build/revision/localfs.go", "slipway/build/localfs", siblings},
		{"registry/target.go", "slipway/build/target", siblings},
		{"registry/localfs.go", "slipway/build/localfs", siblings},
		{"artifact/exec.go", "os/exec", "through internal/safegit"},
		{"build/revision/exec_test.go", "os/exec", ""},
		{"registry/aws.go", "github.com/aws/sdk", ""},
		{"registry/lifecycle.go", "slipway/registry/lifecycle", ""},
		{"registry/revisions/registry.go", "slipway/registry", ""},
		{"registry/revisions/solve.go", "slipway/build/solve", siblings},
		{"registry/revisions/artifact.go", "slipway/artifact/source", siblings},
		{"rollout/ecs/revisions.go", "slipway/registry/revisions", siblings},
		{"artifact/source/revisions.go", "slipway/registry/revisions", siblings},
		{"artifact/source/artifact.go", "slipway/artifact", ""},
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
		{"registry/output.go", "slipway/internal/output", "only cmd and its display print"},
		{"cmd/output.go", "slipway/internal/output", ""},
		{"internal/display/output.go", "slipway/internal/output", ""},
		{"internal/display/log.go", "github.com/rs/zerolog", "only cmd logs"},
		{"internal/display/follow.go", "slipway/rollout/follow", ""},
		{"internal/display/ecs.go", "slipway/rollout/ecs", ""},
		{"internal/display/diagnose.go", "slipway/rollout/diagnose", ""},
		{"internal/display/rollout.go", "slipway/rollout", "neither a flow nor a stage"},
		{"internal/display/build.go", "slipway/build", "neither a flow nor a stage"},
		{"internal/display/solve.go", "slipway/build/solve", "neither a flow nor a stage"},
		{"internal/display/cmd.go", "slipway/cmd", "neither a flow nor a stage"},
		{"internal/display/registry.go", "slipway/registry", "neither a flow nor a stage"},
		{"internal/display/artifact.go", "slipway/artifact", "neither a flow nor a stage"},
		{"internal/display/buildspec.go", "slipway/buildspec", "neither a flow nor a stage"},
		{"internal/display/project.go", "slipway/project", "neither a flow nor a stage"},
		{"internal/display/doctor.go", "slipway/doctor", "neither a flow nor a stage"},
		{"rollout/display.go", "slipway/internal/display", "only cmd displays"},
		{"build/display.go", "slipway/internal/display", "only cmd displays"},
		{"cmd/display.go", "slipway/internal/display", ""},
		{"cmd/slipway-sandbox/output.go", "slipway/internal/output", ""},
		{"build/solve/plain.go", "slipway/internal/plain", ""},
		{"cmd/cobra.go", "github.com/spf13/cobra", ""},
		{"cmd/slipway-sandbox/log.go", "github.com/rs/zerolog", ""},
		{"cmd/planned/cobra.go", "github.com/spf13/cobra", "from values"},
		{"cmd/planned/log.go", "github.com/rs/zerolog", "from values"},
		{"cmd/planned/aws.go", "github.com/aws/sdk", "from values"},
		{"cmd/planned/build.go", "slipway/build", ""},
		{"cmd/planned/project.go", "slipway/project", ""},
		{"cmd/derived/cobra.go", "github.com/spf13/cobra", "from values"},
		{"cmd/derived/aws.go", "github.com/aws/sdk", "from values"},
		{"cmd/derived/project.go", "slipway/project", "from values"},
		{"cmd/derived/task.go", "slipway/rollout/task", ""},
		{"cmd/statuslist/cobra.go", "github.com/spf13/cobra", "from values"},
		{"cmd/statuslist/diagnose.go", "slipway/rollout/diagnose", ""},
		{"cmd/findings/cobra.go", "github.com/spf13/cobra", "from values"},
		{"cmd/findings/doctor.go", "slipway/doctor", ""},
		{"cmd/summary/cobra.go", "github.com/spf13/cobra", "from values"},
		{"cmd/summary/rollout.go", "slipway/rollout", "from values"},
		{"cmd/summary/build.go", "slipway/build", ""},
		{"cmd/sandbox.go", "slipway/internal/sandbox", "no special mode"},
		{"registry/sandbox.go", "slipway/internal/sandbox", "no special mode"},
		{"registry/sandbox_test.go", "slipway/internal/sandbox", ""},
		{"bench/sandbox.go", "slipway/internal/sandbox", ""},
		{"cmd/slipway-sandbox/sandbox.go", "slipway/internal/sandbox", ""},
		{"cmd/sandboxecr.go", "slipway/internal/sandbox/ecr", "no special mode"},
		{"internal/sandbox/awsapi/ecr.go", "slipway/internal/sandbox/ecr", "know none of them"},
		{"internal/sandbox/awsapi/registry.go", "slipway/registry", "know none of them"},
		{"internal/sandbox/ecr/awsapi.go", "slipway/internal/sandbox/awsapi", ""},
		{"internal/sandbox/ecr/ecs.go", "slipway/internal/sandbox/ecs", "do not import each other"},
		{"internal/sandbox/ecr/server.go", "slipway/internal/sandbox", "do not import each other"},
		{"internal/sandbox/ecr/registry.go", "slipway/registry", "do not import each other"},
		{"internal/sandbox/ecr/own_test.go", "slipway/internal/sandbox/ecr", ""},
		{"internal/sandbox/ecs/awsapi.go", "slipway/internal/sandbox/awsapi", ""},
		{"internal/sandbox/ecs/ecr.go", "slipway/internal/sandbox/ecr", "through interfaces of its own"},
		{"internal/sandbox/ecs/server.go", "slipway/internal/sandbox", "through interfaces of its own"},
		{"internal/sandbox/ecs/codedeploy/ecs.go", "slipway/internal/sandbox/ecs", ""},
		{"internal/sandbox/ecs/codedeploy/ecr.go", "slipway/internal/sandbox/ecr", "through interfaces of its own"},
		{"cmd/engine.go", "slipway/internal/enginetest", "for tests only"},
		{"cmd/engine_test.go", "slipway/internal/enginetest", ""},
		{"cmd/docker.go", "slipway/internal/dockertest", "for tests only"},
		{"cmd/docker_test.go", "slipway/internal/dockertest", ""},
		{"build/solve/docker.go", "slipway/internal/dockertest", "for tests only"},
		{"internal/enginetest/cmd/leftout/docker.go", "slipway/internal/dockertest", ""},
		{"build/solve/daemon.go", "slipway/internal/daemontest", "for tests only"},
		{"internal/enginetest/daemon.go", "slipway/internal/daemontest", ""},
		{"internal/dockertest/daemon.go", "slipway/internal/daemontest", ""},
		{"internal/testtools/daemon.go", "slipway/internal/daemontest", ""},
		{"cmd/tools.go", "slipway/internal/testtools", "for tests only"},
		{"cmd/tools_test.go", "slipway/internal/testtools", ""},
		{"internal/enginetest/cmd/leftout/tools.go", "slipway/internal/testtools", ""},
		{"registry/testkit.go", "slipway/internal/testkit", "for tests only"},
		{"registry/testkit_test.go", "slipway/internal/testkit", ""},
		{"bench/testkit.go", "slipway/internal/testkit", "for tests only"},
		{"internal/enginetest/testkit.go", "slipway/internal/testkit", "for tests only"},
		{"internal/testkit/sandbox.go", "slipway/internal/sandbox", ""},
		{"internal/testkit/daemon.go", "slipway/internal/daemontest", ""},
		{"internal/testkit/fault.go", "slipway/internal/fault", ""},
		{"internal/testkit/cmd.go", "slipway/cmd", setup},
		{"internal/testkit/compose.go", "slipway/project/compose", setup},
		{"internal/testkit/follow.go", "slipway/rollout/follow", setup},
		{"internal/testkit/revisions.go", "slipway/registry/revisions", setup},
		{"internal/testkit/retention.go", "slipway/retention", setup},
		{"internal/testkit/doctor.go", "slipway/doctor", setup},
		{"internal/awsclient/registry.go", "slipway/registry", "know none of them"},
		{"rollout/diagnose/ecs.go", "slipway/rollout/ecs", pure},
		{"rollout/diagnose/registry.go", "slipway/registry", pure},
		{"rollout/diagnose/http.go", "net/http", pure},
		{"rollout/task/registry.go", "slipway/registry", mapped},
		{"rollout/task/artifact.go", "slipway/artifact", mapped},
		{"rollout/task/ecs.go", "slipway/rollout/ecs", mapped},
		{"rollout/task/project.go", "slipway/project", mapped},
		{"rollout/task/aws.go", "github.com/aws/sdk", mapped},
		{"rollout/task/http.go", "net/http", mapped},
		{"rollout/task/os.go", "os", mapped},
		{"rollout/task/compose.go", "slipway/project/compose", ""},
		{"rollout/task/diff/task.go", "slipway/rollout/task", ""},
		{"rollout/task/diff/ecs.go", "slipway/rollout/ecs", mapped},
		{"rollout/task/os_test.go", "os", ""},
		{"project/task.go", "slipway/rollout/task", ""},
		{"build/task.go", "slipway/rollout/task", apart},
		{"rollout/ecs/diagnose.go", "slipway/rollout/diagnose", ""},
		{"rollout/ecs/follow.go", "slipway/rollout/follow", "follow imports ecs"},
		{"rollout/ecs/fakeaws.go", "slipway/rollout/internal/fakeaws", "for tests only"},
		{"rollout/ecs/fakeaws_test.go", "slipway/rollout/internal/fakeaws", ""},
		{"rollout/follow/ecs.go", "slipway/rollout/ecs", ""},
		{"rollout/follow/diagnose.go", "slipway/rollout/diagnose", ""},
		{"rollout/follow/registry.go", "slipway/registry", siblings},
		{"rollout/follow/solve.go", "slipway/build/solve", siblings},
		{"rollout/follow/rollout.go", "slipway/rollout", upwards},
		{"rollout/follow/cmd.go", "slipway/cmd", upwards},
		{"rollout/diagnose/follow.go", "slipway/rollout/follow", pure},
		{"rollout/flow.go", "slipway/rollout/follow", ""},
		{"registry/follow.go", "slipway/rollout/follow", siblings},
		{"build/solve/follow.go", "slipway/rollout/follow", siblings},
		{"project/follow.go", "slipway/rollout/follow", "it knows none"},
		{"doctor/follow.go", "slipway/rollout/follow", ""},
		{"cmd/follow.go", "slipway/rollout/follow", ""},
		{"registry/lifecycle/registry.go", "slipway/registry", "read and written by registry"},
		{"registry/lifecycle/aws.go", "github.com/aws/sdk", "read and written by registry"},
		{"buildspec/iam/buildspec.go", "slipway/buildspec", "not from a buildspec"},
		{"buildspec/iam/aws.go", "github.com/aws/sdk", "works with no account"},
		{"artifact/source/artifact.go", "slipway/artifact", ""},
		{"project/target.go", "slipway/build/target", ""},
		{"project/solve.go", "slipway/build/solve", "without an engine"},
		{"project/compose.go", "slipway/project/compose", ""},
		{"project/compose/project.go", "slipway/project", values},
		{"project/compose/solve.go", "slipway/build/solve", values},
		{"project/compose/buildspec.go", "slipway/buildspec", values},
		{"project/compose/registry.go", "slipway/registry", values},
		{"project/compose/artifact.go", "slipway/artifact", values},
		{"project/compose/ecs.go", "slipway/rollout/ecs", values},
		{"project/compose/doctor.go", "slipway/doctor", "it knows none"},
		{"project/compose/cmd.go", "slipway/cmd", "flags end at cmd"},
		{"project/compose/aws.go", "github.com/aws/sdk", "without an account"},
		{"project/compose/buildkit.go", "github.com/moby/buildkit/client", "without BuildKit"},
		{"build/target/compose.go", "slipway/project/compose", ""},
		{"build/engine/compose.go", "slipway/project/compose", upwards},
		{"project/engine.go", "slipway/build/engine", "without an engine"},
		{"project/build.go", "slipway/build", "it knows none"},
		{"project/rollout.go", "slipway/rollout", "it knows none"},
		{"project/cmd.go", "slipway/cmd", "flags end at cmd"},
		{"project/aws.go", "github.com/aws/aws-sdk-go-v2/service/ecr", "without a request"},
		{"build/rollout.go", "slipway/rollout", apart},
		{"build/ecs.go", "slipway/rollout/ecs", apart},
		{"rollout/build.go", "slipway/build", apart},
		{"rollout/solve.go", "slipway/build/solve", apart},
		{"doctor/cmd.go", "slipway/cmd", "know nothing of it"},
		{"inspect/build.go", "slipway/build", "no flow runs for it"},
		{"inspect/engine.go", "slipway/build/engine", "no flow runs for it"},
		{"inspect/solve.go", "slipway/build/solve", "no flow runs for it"},
		{"inspect/doctor.go", "slipway/doctor", "no flow runs for it"},
		{"inspect/cmd.go", "slipway/cmd", "no flow runs for it"},
		{"inspect/inputs.go", "slipway/build/inputs", ""},
		{"inspect/history.go", "slipway/rollout/history", ""},
		{"retention/build.go", "slipway/build", "know none of them"},
		{"retention/rollout.go", "slipway/rollout", "know none of them"},
		{"retention/cmd.go", "slipway/cmd", "know none of them"},
		{"retention/registry.go", "slipway/registry", ""},
		{"build/retention.go", "slipway/retention", ""},
		{"doctor/build.go", "slipway/build", ""},
		{"cmd/build.go", "slipway/build", ""},
		{"cmd/rollout.go", "slipway/rollout", ""},
		{"internal/awsclient/fault.go", "slipway/internal/fault", ""},
		{"internal/fault/registry.go", "slipway/registry", "need none of them"},
		{"internal/fault/plain.go", "slipway/internal/plain", ""},
		{"internal/awsclient/own_test.go", "slipway/internal/awsclient", ""},
	}
	for _, flow := range flows {
		list = append(list, offence{"internal/testkit/flow-" + flow + ".go", "slipway/" + flow, setup})
		list = append(list, offence{flow + "/cmd.go", "slipway/cmd", upwards}, offence{flow + "/project.go", "slipway/project", ""},
			offence{flow + "/registry.go", "slipway/registry", ""}, offence{flow + "/doctor.go", "slipway/doctor", upwards})
	}
	for _, from := range stages {
		list = append(list, offence{from + "/cmd.go", "slipway/cmd", upwards}, offence{from + "/project.go", "slipway/project", upwards})
		list = append(list, offence{"internal/testkit/" + strings.ReplaceAll(from, "/", "-") + ".go", "slipway/" + from, setup})
		for _, flow := range flows {
			list = append(list, offence{from + "/flow-" + flow + ".go", "slipway/" + flow, upwards})
		}
		list = append(list, offence{from + "/own_test.go", "slipway/" + from, ""})
		for _, to := range stages {
			if to != from {
				list = append(list, offence{from + "/" + strings.ReplaceAll(to, "/", "-") + ".go", "slipway/" + to, siblings})
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
	for _, p := range append([]string{"cmd", "inspect", "retention", "project", "project/compose", "doctor", "build", "build/inputs", "build/localfs", "build/target", "rollout", "rollout/diagnose", "rollout/follow", "rollout/task", "rollout/history", "rollout/internal/fakeaws", "registry/lifecycle", "stack", "stack/outputs", "registry/revisions", "buildspec/iam", "artifact/source", "internal/allow", "internal/awsclient", "internal/awsname", "internal/display", "internal/fault", "internal/output", "internal/plain", "internal/shell", "internal/sandbox", "internal/sandbox/awsapi", "internal/sandbox/ecr", "internal/sandbox/ecs", "internal/sandbox/ecs/codedeploy", "internal/enginetest", "internal/dockertest", "internal/daemontest", "internal/testkit", "internal/testtools"}, stages...) {
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

var outside = []string{"github.com/aws/sdk", "github.com/aws/aws-sdk-go-v2/service/ecr", "github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/rs/zerolog", "github.com/moby/buildkit/client", "github.com/google/go-containerregistry/pkg/v1/remote"}

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
