package cmd

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// TestDoctorScripts runs the doctor against a sandbox of its own, which has nothing in it
// but what the script puts there, and a real BuildKit.
func TestDoctorScripts(t *testing.T) {
	t.Parallel()
	engine := enginetest.Shared(t)
	runScripts(t, "doctor", doctorCommands(), func(env *testscript.Env) error {
		program, err := exec.LookPath("slipway")
		if err != nil {
			return err
		}
		// Where the engine's program lies, for scripts that start one of their own.
		buildkitd, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", engine.PID()))
		if err != nil {
			return err
		}
		env.Setenv("TOOLS", filepath.Dir(buildkitd))
		env.Setenv("SLIPWAY", program)
		env.Setenv("BUILDKIT_HOST", engine.Addr)
		return sandboxEnvironment(t, env)
	})
}

func doctorCommands() map[string]func(*testscript.TestScript, bool, []string) {
	out := ecsCommands()
	out["skew"] = skew
	out["caller"] = caller
	out["silent"] = silent
	out["index"] = pushIndex
	out["unwritten"] = unwritten
	out["role"] = makeRole
	out["target-group"] = makeTargetGroup
	return out
}

// repository NAME [MUTABILITY] makes a repository.
func makeRepository(ts *testscript.TestScript, _ bool, args []string) {
	in := &ecr.CreateRepositoryInput{RepositoryName: aws.String(args[0])}
	if len(args) > 1 {
		in.ImageTagMutability = types.ImageTagMutability(args[1])
	}
	_, err := ecsSandboxOf(ts).ecr.CreateRepository(context.Background(), in)
	ts.Check(err)
}

// index REPOSITORY TAG pushes an image that is there for linux/amd64 alone.
func pushIndex(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ecsSandboxOf(ts).pushIndex(context.Background(), args[0], args[1], false))
}

// skew DURATION moves AWS's clock; back, if negative.
func skew(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	sandboxOf(ts).Advance(d)
}

// deny ACTION... takes actions from the caller; none gives all back.
func deny(ts *testscript.TestScript, _ bool, args []string) { sandboxOf(ts).Deny(args...) }

// caller ARN [ENTITY] changes who calls.
func caller(ts *testscript.TestScript, _ bool, args []string) {
	sandboxOf(ts).SetCaller(args[0], strings.Join(args[1:], ""))
}

// role ARN SERVICE [DENIED...] makes a role that a service may assume.
func makeRole(ts *testscript.TestScript, _ bool, args []string) {
	sandboxOf(ts).SetRole(sandbox.Role{ARN: args[0], Trusts: args[1], Denied: args[2:]})
}

// silent VARIABLE sets it to an address that takes connections and never answers.
func silent(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// unwritten checks that nothing but questions was asked of AWS since "calls reset".
func unwritten(ts *testscript.TestScript, _ bool, _ []string) {
	for _, c := range sandboxOf(ts).Calls() {
		switch {
		case c.Service == "registry" && (strings.HasPrefix(c.Action, "GET ") || strings.HasPrefix(c.Action, "HEAD ")):
		case strings.HasPrefix(c.Action, "Get"), strings.HasPrefix(c.Action, "Describe"), strings.HasPrefix(c.Action, "List"),
			strings.HasPrefix(c.Action, "BatchGet"), c.Action == "BatchCheckLayerAvailability", c.Action == "HeadBucket", c.Action == "SimulatePrincipalPolicy":
		default:
			ts.Fatalf("%s %s was called", c.Service, c.Action)
		}
	}
}

// log-group NAME makes a log group.
func makeLogGroup(ts *testscript.TestScript, _ bool, args []string) {
	client := cloudwatchlogs.NewFromConfig(testkit.AWSConfig(sandboxOf(ts).URL()))
	_, err := client.CreateLogGroup(context.Background(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &args[0]})
	ts.Check(err)
}

// target-group ARN [KEY=VALUE...] makes a target group; the keys are type, path, port,
// unattached, gone to remove it, and unhealthy with the reason of its one target.
func makeTargetGroup(ts *testscript.TestScript, _ bool, args []string) {
	var g sandbox.TargetGroup
	for _, a := range args[1:] {
		switch key, value, _ := strings.Cut(a, "="); key {
		case "type":
			g.Type = value
		case "path":
			g.HealthPath = value
		case "port":
			g.HealthPort = value
		case "gone":
			sandboxOf(ts).DeleteTargetGroup(args[0])
			return
		case "unattached":
			g.Unattached = true
		case "unhealthy":
			g.Targets = []sandbox.Target{{ID: "10.0.0.1", Port: 8080, State: "unhealthy", Reason: "Target.ResponseCodeMismatch", Description: value}}
		default:
			ts.Fatalf("no such key: %s", key)
		}
	}
	sandboxOf(ts).SetTargetGroup(args[0], g)
}
