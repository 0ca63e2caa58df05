package cmd

import (
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/testkit"
)

// TestECSScripts runs roll-outs and rollbacks as users type them, against a sandbox of
// their own. Images come without an engine.
func TestECSScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "ecs", ecsCommands(), func(env *testscript.Env) error { return sandboxEnvironment(t, env) })
}

type ecsSandboxKey struct{}

func ecsSandboxOf(ts *testscript.TestScript) *ecsSandbox {
	return ts.Value(ecsSandboxKey{}).(*ecsSandbox)
}

func ecsCommands() map[string]func(*testscript.TestScript, bool, []string) {
	out := maps.Clone(scriptCommands)
	out["speed"] = ecsSpeed
	out["stock"] = pushImage
	out["service"] = openService
	out["runs"] = runsImage
	out["paused"] = awaitPause
	out["protect"] = protectTasks
	out["called"] = awaitCall
	out["deny"] = deny
	out["ecs-calls"] = ecsCalls
	out["autoscale"] = autoscale
	out["expand"] = expand
	out["example"] = copyExample
	out["log-group"] = makeLogGroup
	out["archive"] = archive
	out["attested"] = attested
	out["scan"] = scanImage
	out["scan-on-push"] = scanOnPush
	out["sign"] = signImage
	out["repository"] = makeRepository
	out["socket"] = socket
	out["scheduled"] = scheduleTask
	out["provider"] = makeProvider
	out["room"] = setRoom
	out["desired"] = setDesired
	out["redeploy"] = redeploy
	out["define"] = define
	out["deregister"] = deregister
	out["secret"] = scriptSecret
	out["parameter"] = scriptParameter
	out["keeps"] = keepsSecret
	out["stack"] = scriptStack
	out["definition"] = scriptDefinition
	out["started"] = startTask
	out["family"] = writeFamily
	out["fault"] = nextFault
	out["cluster"] = makeCluster
	out["lose"] = loseAnswer
	out["unattached"] = makeUnattached
	out["described"] = describeService
	out["delete"] = deleteService
	return out
}

// speed N lets ECS be N times as fast as the real one.
func ecsSpeed(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseFloat(args[0], 64)
	ts.Check(err)
	ts.Check(sandboxOf(ts).SetECSSpeed(n))
}

// stock [-aside] [-same=REVISION] REPOSITORY REVISION [LABEL=VALUE...] pushes an image,
// with latest on it unless aside, another revision's if told.
func pushImage(ts *testscript.TestScript, _ bool, args []string) {
	latest := true
	labels := map[string]string{}
	for strings.HasPrefix(args[0], "-") {
		if same, ok := strings.CutPrefix(args[0], "-same="); ok {
			labels["revision"] = same
		}
		latest = latest && args[0] != "-aside"
		args = args[1:]
	}
	for _, l := range args[2:] {
		k, v, _ := strings.Cut(l, "=")
		labels[k] = v
	}
	ts.Check(ecsSandboxOf(ts).pushImage(context.Background(), args[0], args[1], latest, labels))
}

// service [-KEY=VALUE...] CLUSTER SERVICE CONTAINER=IMAGE... makes an ECS service and
// waits until it runs.
func openService(ts *testscript.TestScript, _ bool, args []string) {
	b := ecsServiceFixture{desired: 1, breaker: "rollback", healthy: 100, most: 200, environment: map[string]string{}}
	for strings.HasPrefix(args[0], "-") {
		k, v, _ := strings.Cut(args[0][1:], "=")
		n, _ := strconv.Atoi(v)
		switch k {
		case "desired":
			b.desired = int32(n)
		case "breaker":
			b.breaker = v
		case "healthy":
			b.healthy = int32(n)
		case "express":
			b.express = true
		case "most":
			b.most = int32(n)
		case "logged":
			b.logged = true
		case "balanced":
			b.balanced = true
		case "controller":
			b.controller = types.DeploymentControllerType(v)
		case "strategy":
			b.strategy = types.DeploymentStrategy(v)
		case "hook":
			b.hook = types.DeploymentLifecycleHookStage(v)
		case "early":
			b.early = int32(n)
		case "providers":
			b.providers = strings.Split(v, ",")
		case "env":
			name, value, _ := strings.Cut(v, "=")
			b.environment[name] = value
		default:
			ts.Fatalf("service: no option %s", k)
		}
		args = args[1:]
	}
	b.cluster, b.service, b.containers = args[0], args[1], args[2:]
	ts.Check(ecsSandboxOf(ts).createService(context.Background(), b))
	advance(ts, false, []string{"10m"})
}

// paused [-seen] CLUSTER SERVICE waits until the service's newest deployment waits at a
// hook, and with -seen until a follower of it has reported that.
func awaitPause(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	seen := args[0] == "-seen"
	if seen {
		args = args[1:]
	}
	await(ctx, ts, func() bool {
		paused, err := ecsSandboxOf(ts).paused(ctx, args[0], args[1])
		ts.Check(err)
		return paused
	})
	if !seen {
		return
	}
	// When the second question comes, the first has its answer.
	before := descriptions(ts)
	await(ctx, ts, func() bool { return descriptions(ts) >= before+2 })
}

// protect CLUSTER SERVICE MINUTES puts the running tasks of a service under scale-in
// protection, or with 0 ends it.
func protectTasks(ts *testscript.TestScript, _ bool, args []string) {
	minutes, err := strconv.ParseInt(args[2], 10, 32)
	ts.Check(err)
	ts.Check(ecsSandboxOf(ts).protect(context.Background(), args[0], args[1], int32(minutes)))
}

// called SERVICE ACTION [N] waits until AWS has been asked for an action, N times.
func awaitCall(ts *testscript.TestScript, _ bool, args []string) {
	want := 1
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		want = n
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	await(ctx, ts, func() bool {
		n := 0
		for _, c := range sandboxOf(ts).Calls() {
			if c.Service == args[0] && c.Action == args[1] {
				n++
			}
		}
		return n >= want
	})
}

func await(ctx context.Context, ts *testscript.TestScript, done func() bool) {
	for !done() {
		if ctx.Err() != nil {
			ts.Fatalf("time is up before the state is reached")
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

func descriptions(ts *testscript.TestScript) (n int) {
	for _, c := range sandboxOf(ts).Calls() {
		if c.Action == "DescribeServiceDeployments" {
			n++
		}
	}
	return n
}

// runs CLUSTER SERVICE CONTAINER REPOSITORY TAG checks that every task runs what the tag
// points to (or that none does, with !).
func runsImage(ts *testscript.TestScript, neg bool, args []string) {
	running, err := ecsSandboxOf(ts).runs(context.Background(), args[0], args[1])
	ts.Check(err)
	want := sandboxOf(ts).Tags(args[3])[args[4]]
	have := running[args[2]]
	if want == "" || len(have) == 0 {
		ts.Fatalf("tag %s of %s is on %q, and tasks run %v", args[4], args[3], want, running)
	}
	slices.Sort(have)
	have = slices.Compact(have)
	if same := len(have) == 1 && have[0] == want; same == neg {
		ts.Fatalf("%s runs %v, %s:%s is %s", args[2], have, args[3], args[4], want)
	}
}

// autoscale CLUSTER SERVICE MIN MAX lets Application Auto Scaling keep a service between
// two counts.
func autoscale(ts *testscript.TestScript, _ bool, args []string) {
	lowest, err := strconv.ParseInt(args[2], 10, 32)
	ts.Check(err)
	highest, err := strconv.ParseInt(args[3], 10, 32)
	ts.Check(err)
	client := applicationautoscaling.NewFromConfig(testkit.AWSConfig(sandboxOf(ts).URL()))
	_, err = client.RegisterScalableTarget(context.Background(), &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: scaling.ServiceNamespaceEcs, ScalableDimension: scaling.ScalableDimensionECSServiceDesiredCount,
		ResourceId: aws.String("service/" + args[0] + "/" + args[1]), MinCapacity: aws.Int32(int32(lowest)), MaxCapacity: aws.Int32(int32(highest)),
	})
	ts.Check(err)
}

// expand FROM TO writes a file with the $VARIABLES in it replaced.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o644))
}

// archive REPOSITORY TAG puts an image into ECR's archive.
func archive(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(sandboxOf(ts).Archive(args[0], sandboxOf(ts).Tags(args[0])[args[1]]))
}

// ECS-calls ACTION N checks how often ECS was asked for an action.
func ecsCalls(ts *testscript.TestScript, _ bool, args []string) {
	countCalls(ts, false, append([]string{"ecs"}, args...))
}
