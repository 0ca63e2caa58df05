package cmd

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

// newBeforeFixture is an ECS service that runs shop/web:one, and what a build of two has
// written: settings, and a one-off task that ends by itself after some of ECS's time.
func newBeforeFixture(t *testing.T, taskTime time.Duration) *ecsFixture {
	t.Helper()
	f := &ecsFixture{buildFixture: newBuildFixtureOn(t, "ecs", sandbox.Options{ECSSpeed: 40}, "")}
	f.sandbox = newECSSandbox(f.aws, f.proxy.host())
	ctx := t.Context()
	for _, image := range []struct {
		repository, tag string
		latest          bool
		labels          map[string]string
	}{
		{"shop/web", "one", true, nil},
		{"shop/web", "two", false, nil},
		{"shop/migrate", "two", false, map[string]string{"slipway.sandbox.exit": "0", "slipway.sandbox.exit-after": taskTime.String(), "slipway.sandbox.log": "applied"}},
	} {
		if err := f.sandbox.pushImage(ctx, image.repository, image.tag, image.latest, image.labels); err != nil {
			t.Fatal(err)
		}
	}
	err := f.sandbox.createService(ctx, ecsServiceFixture{
		cluster: "prod", service: "shop", containers: []string{"web=shop/web:one"}, desired: 1, breaker: "rollback", healthy: 100, logged: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.aws.Advance(10 * time.Minute)
	f.write("compose.yaml", `name: shop
x-slipway: {ecs: {cluster: prod, service: shop}, task: {before: [migrate]}}
services: {web: {build: .}, migrate: {build: .}}
`)
	f.write("imagedefinitions.json", fmt.Sprintf(`[{"name": "web", "imageUri": %q}]`, f.sandbox.image("shop/web:two")))
	definition := func(before, family, name, ports string) string {
		return strings.NewReplacer("BEFORE", before, "FAMILY", family, "NAME", name, "PORTS", ports, "IMAGE", f.sandbox.image("shop/"+name+":two")).Replace(
			`{"ecs": {"cluster": "prod", "service": "shop"}, "before": "BEFORE", "services": ["NAME"], "built": ["NAME"], "input": {"family": "FAMILY",
			"executionRoleArn": "arn:aws:iam::000000000000:role/execution", "taskRoleArn": "TASK_ROLE_ARN", "networkMode": "awsvpc",
			"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512", "containerDefinitions": [{"name": "NAME", "image": "IMAGE", "essential": true,
			PORTS"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "LOG_GROUP", "awslogs-region": "REGION", "awslogs-stream-prefix": "ecs", "awslogs-create-group": "true"}}}]}}`)
	}
	f.write("taskdefinition.json", "["+definition("", "shop", "web", `"portMappings": [{"containerPort": 80, "protocol": "tcp"}], `)+",\n"+definition("migrate", "shop-migrate", "migrate", "")+"]")
	return f
}

// ranOnce checks that one task has run of one task definition, and that the service runs
// the new image.
func (h *ecsFixture) ranOnce() {
	h.t.Helper()
	ctx, family := h.t.Context(), aws.String("shop-migrate")
	var tasks []string
	for _, status := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		out, err := h.sandbox.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: aws.String("prod"), Family: family, DesiredStatus: status})
		if err != nil {
			h.t.Fatal(err)
		}
		tasks = append(tasks, out.TaskArns...)
	}
	definitions, err := h.sandbox.ecs.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{FamilyPrefix: family})
	if err != nil {
		h.t.Fatal(err)
	}
	if len(tasks) != 1 || len(definitions.TaskDefinitionArns) != 1 {
		h.t.Errorf("the tasks %v of the definitions %v have run, want one of one", tasks, definitions.TaskDefinitionArns)
	}
	h.runsOne("shop", "web", "two")
}

// TestBeforeKilled ends a rollout with one-off tasks with SIGKILL, before and after a
// request has been carried out. The same command again finds the task, and runs no other.
func TestBeforeKilled(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"RegisterTaskDefinition", "RunTask", "GetLogEvents", "PutImage", "UpdateService"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, carried out: %v", action, after), func(t *testing.T) {
				t.Parallel()
				f := newBeforeFixture(t, time.Minute)
				g := newGate(t, after)
				f.proxy.set(&rule{match: on(action, "", ""), treat: g.treat})
				run := f.start("rollout", "--adopt")
				run.meets(g)
				run.signal(syscall.SIGKILL)
				<-run.ended
				g.release(false)
				f.proxy.set()
				f.start("rollout", "--adopt").wait(exitDone)
				f.ranOnce()
			})
		}
	}
}

// TestBeforeInterrupted: an interrupt leaves the task to the next command.
func TestBeforeInterrupted(t *testing.T) {
	t.Parallel()
	f := newBeforeFixture(t, 50*time.Minute) // ECS forgets tasks an hour after their end
	g := newGate(t, false)
	f.proxy.set(&rule{match: on("GetLogEvents", "", ""), treat: g.treat})
	run := f.start("rollout", "--adopt")
	run.meets(g)
	run.signal(syscall.SIGINT)
	run.wait(exitInterrupted)
	g.release(false)
	f.proxy.set()
	run.says("interrupted: one-off task migrate goes on as task ", "which the same command follows; nothing was deployed")
	f.aws.Advance(50 * time.Minute)
	f.start("rollout", "--adopt").wait(exitDone)
	f.ranOnce()
}

// TestBeforeFaults has requests fail for a time.
func TestBeforeFaults(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"RunTask", "DescribeTasks", "GetLogEvents"} {
		for _, fails := range []proxyFault{serverError, throttled, cutOff, answerLost} {
			t.Run(action+", "+fails.name, func(t *testing.T) {
				t.Parallel()
				f := newBeforeFixture(t, time.Minute)
				f.proxy.set(&rule{match: on(action, "", ""), times: 2, treat: fails.treat})
				f.start("rollout", "--adopt").wait(exitDone)
				f.ranOnce()
			})
		}
	}
}
