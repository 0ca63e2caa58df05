package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
	"slipway/internal/testtools"
)

// The AWS CLI makes a service, deploys to it and reads the answers.
func TestECSWithTheAWSCLI(t *testing.T) {
	t.Parallel() // each command takes about a second
	path, dir := awsCLI(t), t.TempDir()
	c := newECSFixture(t, sandbox.Options{ECSSpeed: 1000})
	first := c.push("latest")
	aws := func(args ...string) string {
		t.Helper()
		return runAWS(t, path, c.s, dir, append([]string{"ecs"}, args...)...)
	}
	want := func(text, value string, keys ...string) {
		t.Helper()
		if got := fieldOf(t, text, keys...); got != value {
			t.Errorf("%s is %q, want %q in %s", strings.Join(keys, "."), got, value, text)
		}
	}
	const cluster = "arn:aws:ecs:us-east-1:000000000000:cluster/"
	want(aws("create-cluster", "--cluster-name", "cli", "--tags", "key=app,value=shop"), cluster+"cli", "cluster", "clusterArn")
	want(aws("describe-clusters", "--clusters", "cli", "--include", "TAGS"), "shop", "clusters", "tags", "value")
	want(aws("list-clusters"), cluster+"cli", "clusterArns")

	want(aws("register-task-definition", "--family", "cli", "--requires-compatibilities", "FARGATE", "--network-mode", "awsvpc",
		"--cpu", "256", "--memory", "512", "--execution-role-arn", "arn:aws:iam::000000000000:role/execution", "--container-definitions",
		`[{"name":"web","image":"`+c.uri+`:latest","portMappings":[{"containerPort":80}],"healthCheck":{"command":["CMD","true"]}}]`),
		"ACTIVE", "taskDefinition", "status")
	want(aws("describe-task-definition", "--task-definition", "cli"), c.uri+":latest", "taskDefinition", "containerDefinitions", "image")
	want(aws("list-task-definitions", "--family-prefix", "cli"), "arn:aws:ecs:us-east-1:000000000000:task-definition/cli:1", "taskDefinitionArns")

	want(aws("create-service", "--cluster", "cli", "--service-name", "web", "--task-definition", "cli", "--desired-count", "2",
		"--launch-type", "FARGATE", "--network-configuration", "awsvpcConfiguration={subnets=[subnet-1],assignPublicIp=ENABLED}",
		"--deployment-configuration", "deploymentCircuitBreaker={enable=true,rollback=true}"), "web", "service", "serviceName")
	aws("wait", "services-stable", "--cluster", "cli", "--services", "web")
	second := c.push("latest")
	id := fieldOf(t, aws("update-service", "--cluster", "cli", "--service", "web", "--force-new-deployment"), "service", "deployments", "id")
	c.s.Advance(time.Minute)
	described := aws("describe-services", "--cluster", "cli", "--services", "web", "--include", "TAGS")
	want(described, id, "services", "deployments", "id")
	want(described, "COMPLETED", "services", "deployments", "rolloutState")
	if text := fieldOf(t, described, "services", "events", "createdAt"); !strings.Contains(text, "T") {
		t.Errorf("an event is of %q, want a date", text)
	}

	task := fieldOf(t, aws("list-tasks", "--cluster", "cli", "--service-name", "web"), "taskArns")
	running := aws("describe-tasks", "--cluster", "cli", "--tasks", task)
	want(running, second, "tasks", "containers", "imageDigest")
	want(running, "HEALTHY", "tasks", "healthStatus")
	want(aws("update-task-protection", "--cluster", "cli", "--tasks", task, "--protection-enabled", "--expires-in-minutes", "2880"), task, "protectedTasks", "taskArn")
	protected := aws("get-task-protection", "--cluster", "cli", "--tasks", task)
	if text := fieldOf(t, protected, "protectedTasks", "expirationDate"); !strings.Contains(protected, `"protectionEnabled": true`) || !strings.Contains(text, "T") {
		t.Errorf("the protection is %s, want it on, and a date", protected)
	}
	if ended := aws("update-task-protection", "--cluster", "cli", "--tasks", task, "--no-protection-enabled"); !strings.Contains(ended, `"protectionEnabled": false`) {
		t.Errorf("after its end, the protection is %s", ended)
	}
	old := fieldOf(t, aws("list-tasks", "--cluster", "cli", "--desired-status", "STOPPED"), "taskArns")
	want(aws("describe-tasks", "--cluster", "cli", "--tasks", old), first, "tasks", "containers", "imageDigest")
	want(aws("stop-task", "--cluster", "cli", "--task", task, "--reason", "try"), "try", "task", "stoppedReason")

	service := fieldOf(t, described, "services", "serviceArn")
	aws("tag-resource", "--resource-arn", service, "--tags", "key=n,value=2")
	want(aws("list-tags-for-resource", "--resource-arn", service), "2", "tags", "value")
	t.Run("service deployments", func(t *testing.T) { cliDeployments(t, c.s, dir) })

	want(aws("delete-service", "--cluster", "cli", "--service", "web", "--force"), "DRAINING", "service", "status")
	if _, stderr, err := tryAWS(t, path, c.s, dir, "ecs", "describe-services", "--cluster", "none", "--services", "web"); err == nil ||
		!strings.Contains(stderr, "ClusterNotFoundException") {
		t.Errorf("a missing cluster: %v, %s", err, stderr)
	}
}

// cliDeployments reads the history of deployments.
func cliDeployments(t *testing.T, s *sandbox.Server, dir string) {
	t.Helper()
	path := testtools.Require(t, testtools.CurrentAWSCLI)
	list := runAWS(t, path, s, dir, "ecs", "list-service-deployments", "--cluster", "cli", "--service", "web")
	arn := fieldOf(t, list, "serviceDeployments", "serviceDeploymentArn")
	described := runAWS(t, path, s, dir, "ecs", "describe-service-deployments", "--service-deployment-arns", arn)
	if got := fieldOf(t, described, "serviceDeployments", "status"); got != string(types.ServiceDeploymentStatusSuccessful) {
		t.Errorf("the deployment is %q", got)
	}
	revision := fieldOf(t, list, "serviceDeployments", "targetServiceRevisionArn")
	images := runAWS(t, path, s, dir, "ecs", "describe-service-revisions", "--service-revision-arns", revision)
	if got := fieldOf(t, images, "serviceRevisions", "containerImages", "containerName"); got != "web" {
		t.Errorf("the revision is %s, want web", images)
	}
}
