package cmd

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// settingsFixture is a controllerFixture whose compose file owns the settings: they need a
// stack, a secret of the project's own, one of somebody else and a parameter.
func settingsFixture(t *testing.T) *ecsFixture {
	h := controllerFixture("")(t)
	h.surround()
	for _, name := range []string{"shop/db", "partner/token"} {
		if err := writeSecret(t.Context(), h.aws.URL(), name, "hush"); err != nil {
			t.Fatal(err)
		}
	}
	flag := "/shop/flag"
	_, err := ssm.NewFromConfig(testkit.AWSConfig(h.aws.URL())).PutParameter(t.Context(), &ssm.PutParameterInput{Name: &flag, Value: &flag, Type: ssmtypes.ParameterTypeString})
	if err != nil {
		t.Fatal(err)
	}
	h.write("compose.yaml", `name: shop
x-slipway: {ecs: {cluster: prod, service: shop}, task: {stack: site}}
services:
  a: {build: ./a, secrets: [db, partner, flag]}
  b: {build: ./b}
  c: {build: ./c}
  d: {build: ./d}
secrets:
  db: {environment: DB_PASSWORD}
  partner: {external: true, name: "`+secretARN(t.Context(), t, h, "partner/token")+`"}
  flag: {external: true, name: /shop/flag}
`)
	h.write("before.yaml", `x-slipway: {task: {before: [migrate]}}
services:
  migrate: {build: ./a, environment: {SLIPWAY_SANDBOX_EXIT: "${MIGRATE_EXIT-0}"}}
`)
	return h
}

// surround makes the stack site, and the log group that it names.
func (h *ecsFixture) surround() {
	h.t.Helper()
	group := "/ecs/shop"
	h.aws.SetStack("site", sandbox.Stack{Outputs: map[string]string{
		"ExecutionRole": "arn:aws:iam::000000000000:role/execution", "TaskRole": "arn:aws:iam::000000000000:role/task", "LogGroup": group,
	}})
	_, err := cloudwatchlogs.NewFromConfig(testkit.AWSConfig(h.aws.URL())).CreateLogGroup(h.t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	if err != nil {
		h.t.Fatal(err)
	}
}

// beforeFixture is a settingsFixture with the repository of the one-off task in before.yaml,
// which ends with MIGRATE_EXIT.
func beforeFixture(t *testing.T) *ecsFixture {
	h := settingsFixture(t)
	if err := h.sandbox.pushImage(t.Context(), "shop/migrate", "zero", false, nil); err != nil {
		t.Fatal(err)
	}
	return h
}

func pausingBeforeFixture(t *testing.T) *ecsFixture { return withPausing(beforeFixture(t)) }

func pausingSettingsFixture(t *testing.T) *ecsFixture { return withPausing(settingsFixture(t)) }

// judgedFixture is a settingsFixture with all that doctor looks at: roles, and a service
// behind a load balancer.
func judgedFixture(t *testing.T) *ecsFixture {
	h := assumeRole(settingsFixture(t))
	h.createService(ecsServiceFixture{cluster: "prod", service: "balanced", containers: []string{"b=shop/b:latest"}, balanced: true})
	h.write("compose.yaml", strings.Replace(h.read("compose.yaml"), "b: {build: ./b}", "b: {build: ./b, x-slipway: {ecs: {cluster: prod, service: balanced}}}", 1))
	h.aws.SetTargetGroup("arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/balanced-blue/1", sandbox.TargetGroup{})
	for _, name := range []string{"execution", "task"} {
		h.aws.SetRole(sandbox.Role{ARN: "arn:aws:iam::000000000000:role/" + name, Trusts: "ecs-tasks.amazonaws.com"})
	}
	return h
}

func secretARN(ctx context.Context, t *testing.T, h *ecsFixture, name string) string {
	t.Helper()
	c := secretsmanager.NewFromConfig(testkit.AWSConfig(h.aws.URL()))
	out, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.ARN)
}

// settingsCases are those of policyCases in which the compose file owns the settings.
var settingsCases = []policyCase{
	{"build that deploys settings", "build --rollout --tags --role execution --role task", settingsFixture, func(h *policyRun) {
		h.buildThrice("--rollout", "--adopt")
	}},
	{"build with settings that deploys nothing", "build --tags", settingsFixture, func(h *policyRun) {
		h.buildThrice()
		h.outside(exitDone, "stop")
		h.does("build", "--hash", "second")
	}},
	{"rollout of settings", "rollout --tags --role execution --role task", pausingSettingsFixture, func(h *policyRun) {
		h.outside(exitDone, "build", "--hash", "first")
		h.does("rollout", "--adopt")
		h.does("rollout", "zero")
		h.goOn("first")
	}},
	{"build with one-off tasks", "-f compose.yaml -f before.yaml build --rollout --tags --role execution --role task", beforeFixture, func(h *policyRun) {
		files := []string{"-f", "compose.yaml", "-f", "before.yaml"}
		h.buildThrice(append(files, "--rollout", "--adopt")...)
		h.write("a/file", "changed again")
		h.start(append([]string{"MIGRATE_EXIT=", "build", "--cache", "registry", "--hash", "third", "--rollout", "--before-timeout", "1s"}, files...)...).wait(exitRollout)
	}},
	{"rollout with one-off tasks", "-f compose.yaml -f before.yaml rollout --tags --role execution --role task", pausingBeforeFixture, func(h *policyRun) {
		files := []string{"-f", "compose.yaml", "-f", "before.yaml"}
		h.outside(exitDone, append([]string{"build", "--hash", "first"}, files...)...)
		h.does(append([]string{"rollout", "--adopt"}, files...)...)
		h.write("a/file", "changed")
		h.outside(exitDone, append([]string{"MIGRATE_EXIT=", "build", "--hash", "second"}, files...)...)
		h.start(append([]string{"rollout", "--before-timeout", "1s"}, files...)...).wait(exitRollout)
		h.goOn("first")
	}},
	{"doctor with settings", "doctor --caller service-role/build --role execution --role task", judgedFixture, func(h *policyRun) {
		h.schedule()
		h.start("doctor").wait(exitOther) // no engine
	}},
	{"task with settings", "task", settingsFixture, func(h *policyRun) { h.start("task", "--diff").wait(exitOther) }},
}

// TestPoliciesReadNoValue: no command but secrets may read the value of a secret.
func TestPoliciesReadNoValue(t *testing.T) {
	t.Parallel()
	for _, c := range settingsCases {
		h := settingsFixture(t)
		for _, s := range h.policy(strings.Fields(c.iam)...).Statement {
			if strings.Contains(strings.Join(s.Action, " "), "GetSecretValue") {
				t.Errorf("%s: the policy allows %s", c.what, s.Action)
			}
		}
	}
}
