package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// The AWS CLI deploys with CodeDeploy, scales and reads logs.
func TestDeployLogsAndScalingWithTheAWSCLI(t *testing.T) {
	t.Parallel() // each command takes about a second
	path, dir := awsCLI(t), t.TempDir()
	b := startBlueGreen(t, types.AutoRollbackEventDeploymentFailure)
	aws := func(args ...string) string {
		t.Helper()
		return runAWS(t, path, b.s, dir, args...)
	}
	want := func(text, value string, keys ...string) {
		t.Helper()
		if got := fieldOf(t, text, keys...); got != value {
			t.Errorf("%s is %q, want %q in %s", strings.Join(keys, "."), got, value, text)
		}
	}

	want(aws("deploy", "list-applications"), "web", "applications")
	want(aws("deploy", "list-deployment-groups", "--application-name", "web"), "web", "deploymentGroups")
	group := aws("deploy", "get-deployment-group", "--application-name", "web", "--deployment-group-name", "web")
	want(group, "shop", "deploymentGroupInfo", "ecsServices", "clusterName")
	want(group, "CodeDeployDefault.ECSAllAtOnce", "deploymentGroupInfo", "deploymentConfigName")
	content := strings.ReplaceAll(fmt.Sprintf(spec, b.register("v2", crash)), `"`, `\"`)
	id := fieldOf(t, aws("deploy", "create-deployment", "--application-name", "web", "--deployment-group-name", "web",
		"--revision", `{"revisionType":"AppSpecContent","appSpecContent":{"content":"`+content+`"}}`), "deploymentId")
	b.pass(65 * time.Minute)
	info := aws("deploy", "get-deployment", "--deployment-id", id)
	want(info, "Failed", "deploymentInfo", "status")
	want(info, "TIMEOUT", "deploymentInfo", "errorInformation", "code")
	back := fieldOf(t, info, "deploymentInfo", "rollbackInfo", "rollbackDeploymentId")
	want(aws("deploy", "get-deployment", "--deployment-id", back), "codeDeployRollback", "deploymentInfo", "creator")
	want(aws("deploy", "list-deployments", "--include-only-statuses", "Failed"), id, "deployments")

	aws("logs", "create-log-group", "--log-group-name", "/ecs/web")
	aws("logs", "create-log-stream", "--log-group-name", "/ecs/web", "--log-stream-name", "web/1")
	now := fmt.Sprint(time.Now().Add(2 * time.Hour).UnixMilli()) // the sandbox's clock was moved
	aws("logs", "put-log-events", "--log-group-name", "/ecs/web", "--log-stream-name", "web/1", "--log-events", "timestamp="+now+",message=hello")
	want(aws("logs", "get-log-events", "--log-group-name", "/ecs/web", "--log-stream-name", "web/1"), "hello", "events", "message")
	want(aws("logs", "describe-log-groups"), "/ecs/web", "logGroups", "logGroupName")
	want(aws("logs", "describe-log-streams", "--log-group-name", "/ecs/web", "--order-by", "LastEventTime"), "web/1", "logStreams", "logStreamName")

	target := []string{"--service-namespace", "ecs", "--scalable-dimension", "ecs:service:DesiredCount", "--resource-id", "service/shop/web"}
	aws(append([]string{"application-autoscaling", "register-scalable-target", "--min-capacity", "1", "--max-capacity", "4"}, target...)...)
	scaled := aws("application-autoscaling", "describe-scalable-targets", "--service-namespace", "ecs", "--resource-ids", "service/shop/web")
	want(scaled, "service/shop/web", "ScalableTargets", "ResourceId")
	if at := fieldOf(t, scaled, "ScalableTargets", "CreationTime"); !strings.Contains(at, "T") {
		t.Errorf("created at %q, want a date", at)
	}
	aws(append([]string{"application-autoscaling", "deregister-scalable-target"}, target...)...)
}
