package cmd

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"slipway/internal/sandbox"
)

// creationFixture is a project with two ECS services, which do not exist, and the stack
// around them.
type creationFixture struct{ *ecsFixture }

func newCreationFixture(t *testing.T) *creationFixture {
	t.Helper()
	f := &creationFixture{&ecsFixture{buildFixture: newBuildFixtureOn(t, "ecs", sandbox.Options{ECSSpeed: 400}, "")}}
	f.sandbox = newECSSandbox(f.aws, f.proxy.host())
	f.pushRevision("one", nil)
	f.pushRevision("two", nil)
	if _, err := f.sandbox.ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("prod")}); err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{
		"ExecutionRole": "arn:aws:iam::000000000000:role/execution", "TaskRole": "arn:aws:iam::000000000000:role/task",
		"LogGroup": "/ecs/shop", "Subnets": "subnet-1", "SecurityGroup": "sg-1",
	}
	compose := "name: shop\nx-slipway: {task: {stack: site}}\nservices:\n"
	for i, service := range createdNames {
		slot := []string{"", "2"}[i]
		outputs["Service"+slot] = service
		outputs["Registry"+slot] = "arn:aws:servicediscovery:us-east-1:000000000000:service/srv-" + service
		compose += fmt.Sprintf("  %s: {build: ./%[1]s, x-slipway: {ecs: {cluster: prod, service: %[1]s}}}\n", service)
	}
	f.aws.SetStack("site", sandbox.Stack{Outputs: outputs})
	f.write("compose.yaml", compose)
	return f
}

// createdNames are the services of a creationFixture.
var createdNames = componentNames[:2]

// built writes what a build of a revision writes, with a variable of its own.
func (f *creationFixture) built(revision, variable string) {
	f.t.Helper()
	for _, service := range createdNames {
		image := f.sandbox.image("shop/" + service + ":" + revision)
		f.write("imagedefinitions-"+service+".json", fmt.Sprintf(`[{"name": %q, "imageUri": %q}]`, service, image))
		f.write("taskdefinition-"+service+".json", strings.NewReplacer("NAME", service, "IMAGE", image, "VALUE", variable).Replace(
			`[{"ecs": {"cluster": "prod", "service": "NAME"}, "services": ["NAME"], "built": ["NAME"], "stack": "site",
			"entry": {"container": "NAME", "port": 80}, "create": {"desiredCount": 1, "minimumHealthyPercent": 100, "maximumPercent": 200},
			"input": {"family": "shop-NAME", "executionRoleArn": "EXECUTION_ROLE_ARN", "taskRoleArn": "TASK_ROLE_ARN", "networkMode": "awsvpc",
			"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512", "containerDefinitions": [{"name": "NAME", "image": "IMAGE", "essential": true,
			"portMappings": [{"containerPort": 80, "protocol": "tcp"}], "environment": [{"name": "ROUND", "value": "VALUE"}]}]}}]`))
	}
}

// deleteAll deletes the services and waits until they are INACTIVE.
func (f *creationFixture) deleteAll() {
	f.t.Helper()
	for _, service := range createdNames {
		_, err := f.sandbox.ecs.DeleteService(f.t.Context(), &ecs.DeleteServiceInput{Cluster: aws.String("prod"), Service: &service, Force: aws.Bool(true)})
		if err != nil {
			f.t.Fatal(err)
		}
	}
	f.aws.Advance(time.Hour)
}

// wantCreated checks that both services run a revision, each with one new revision of its
// task definition.
func (f *creationFixture) wantCreated(revision string, round int) {
	f.t.Helper()
	for _, service := range createdNames {
		f.runsOne(service, service, revision)
		out, err := f.sandbox.ecs.ListTaskDefinitions(f.t.Context(), &ecs.ListTaskDefinitionsInput{FamilyPrefix: aws.String("shop-" + service)})
		if err != nil || len(out.TaskDefinitionArns) != round+1 {
			f.t.Errorf("%s has the task definitions %v in round %d, want one for each round (%v)", service, out.TaskDefinitionArns, round, err)
		}
		tags := f.tags()
		for _, tag := range []string{"latest", "live-prod." + service} {
			if got, want := tags["shop/"+service+":"+tag], tags["shop/"+service+":"+revision]; got != want {
				f.t.Errorf("shop/%s:%s points to %s, want %s's %s", service, tag, got, revision, want)
			}
		}
	}
}

// TestCreationKilledAtEachWrite ends first rollouts with SIGKILL at one request that writes
// after the other, before and after it has been carried out. The same command again
// finds the task definition or the service, and ends as an undisturbed one.
func TestCreationKilledAtEachWrite(t *testing.T) {
	t.Parallel()
	f := newCreationFixture(t)
	writes := func(q request) bool {
		return q.api && !strings.HasPrefix(q.action, "Describe") && !strings.HasPrefix(q.action, "List") && !strings.HasPrefix(q.action, "BatchGet")
	}
	command := []string{"rollout", "--create-service"}
	seen := map[string]bool{}
	revision, killed := "one", true
	for k := 0; killed; k++ {
		f.built(revision, fmt.Sprint(k))
		g := newGate(t, k%2 == 1)
		f.proxy.set(&rule{match: writes, skip: k / 2, treat: g.treat})
		r := f.start(command...)
		select {
		case q := <-g.arrived:
			seen[q.action] = true
			t.Logf("killed at request %d: %s %s", k/2, q.action, q.tag)
			r.signal(syscall.SIGKILL)
		case <-r.ended:
			killed = false
		}
		<-r.ended
		g.release(false)
		f.proxy.set()
		again := f.start(command...)
		<-again.ended
		again.wait(exitDone)
		f.wantCreated(revision, k)
		if t.Failed() {
			return
		}
		f.deleteAll()
		revision = map[string]string{"one": "two", "two": "one"}[revision]
	}
	for _, action := range []string{"PutImage", "RegisterTaskDefinition", "CreateService"} {
		if !seen[action] {
			t.Errorf("no run was killed at %s", action)
		}
	}
}
