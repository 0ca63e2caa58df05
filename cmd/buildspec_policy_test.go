package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"slipway/buildspec/iam"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/registry"
	"slipway/registry/record"
)

// unseen are the actions that a policy may have although the runs of its case do not ask
// for them, each with the reason. One that no case needs fails the test.
var unseen = map[string]string{
	"ecr:BatchDeleteImage":                      "takes back tags when tagging fails half way",
	"ecs:DescribeCapacityProviders":             "of a service whose strategy names a provider of an Auto Scaling group",
	"ecs:GetTaskProtection":                     "of old tasks that ECS keeps for long, as one below does for rollback",
	"ecs:StopServiceDeployment":                 "stops a deployment that took too long, as one below does for rollback",
	"codedeploy:StopDeployment":                 "stops a deployment that took too long, as one below does for rollback",
	"codedeploy:GetDeploymentGroup":             "of a service whose task sets name no deployment any more",
	"logs:GetLogEvents":                         "shows the last lines of a container that crashed",
	"logs:DescribeLogGroups":                    "of containers that log to CloudWatch",
	"s3:ListBucket":                             "without it S3 calls an object that is not there forbidden",
	"elasticloadbalancing:DescribeTargetGroups": "of a service behind a load balancer",
	"elasticloadbalancing:DescribeTargetHealth": "of a service behind a load balancer",
	"s3:AbortMultipartUpload":                   "gives up a source's upload, or a large layer's, that failed or was interrupted",
}

// asksToo are actions that IAM asks for beside the one that is called, by action. Sources:
// the pages "Actions, resources, and condition keys" of ECR, ECS and CodeDeploy in the
// Service Authorization Reference, and their columns of dependent actions.
var asksToo = map[string][]string{
	"ecr:CreateRepository":        {"ecr:TagResource"},
	"ecs:RegisterTaskDefinition":  {"iam:PassRole"},
	"ecs:RunTask":                 {"iam:PassRole"},
	"codedeploy:CreateDeployment": {"codedeploy:GetDeploymentConfig", "codedeploy:RegisterApplicationRevision"},
	// BuildKit sends a layer with the request that completes it.
	"ecr:CompleteLayerUpload": {"ecr:UploadLayerPart"},
}

// asksWithTags are those for task definitions with tags.
var asksWithTags = map[string][]string{"ecs:RegisterTaskDefinition": {"ecs:TagResource"}}

// registryActions are the permissions behind the registry's API ("Private repository
// policies" in the ECR user guide).
var registryActions = map[string]string{
	"HEAD manifest": "ecr:BatchGetImage",
	"GET manifest":  "ecr:BatchGetImage",
	"PUT manifest":  "ecr:PutImage",
	"HEAD blob":     "ecr:BatchCheckLayerAvailability",
	"GET blob":      "ecr:GetDownloadUrlForLayer",
	"POST upload":   "ecr:InitiateLayerUpload",
	"PATCH upload":  "ecr:UploadLayerPart",
	"PUT upload":    "ecr:CompleteLayerUpload",
}

// s3Permissions are those whose name is not the action's.
var s3Permissions = map[string]string{
	"GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
	"PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
	"ListObjectVersions":              "s3:ListBucketVersions",
	"HeadObject":                      "s3:GetObject",
	"CreateMultipartUpload":           "s3:PutObject",
	"UploadPart":                      "s3:PutObject",
	"CompleteMultipartUpload":         "s3:PutObject",
}

// permissionFor is what IAM asks for a call, empty for one that needs only a login.
func permissionFor(c sandbox.Call) string {
	switch c.Service {
	case "registry":
		if c.Action == "GET ping" {
			return ""
		}
		if p, ok := registryActions[c.Action]; ok {
			return p
		}
	case "ecr":
		if c.Action == "ListImageReferrers" {
			return "ecr:BatchGetImage" // its page in the API reference
		}
	case "sts":
		return "" // who calls may always ask who calls
	case "s3":
		if c.Action == "HeadBucket" {
			return "" // a refusal says what is asked for: the bucket's region, or that it is there
		}
		if p, ok := s3Permissions[c.Action]; ok {
			return p
		}
	}
	return c.Service + ":" + c.Action
}

// policyCase is a way to use slipway: the arguments of `buildspec iam`, and runs that ask
// for all that it may ask for.
type policyCase struct {
	what string
	iam  string
	// setUp makes the project and, as others would, what it needs; run uses it.
	setUp func(*testing.T) *ecsFixture
	run   func(*policyRun)
}

// policyRun is an ecsFixture in use, with the calls of its commands.
type policyRun struct {
	*ecsFixture
	calls []sandbox.Call
}

func (h *policyRun) does(args ...string) {
	h.t.Helper()
	h.start(args...).wait(exitDone)
}

// outside runs a command that the policy is not for.
func (h *policyRun) outside(code int, args ...string) {
	h.t.Helper()
	h.calls = append(h.calls, h.aws.Calls()...)
	h.start(args...).wait(code)
	h.aws.ResetCalls()
}

// goOn lets others deploy a revision to the paused service, and continues that.
func (h *policyRun) goOn(revision string) {
	h.t.Helper()
	h.outside(exitDone, "rollback", revision, "--no-wait", "--cluster", "prod", "--ecs-service", "paused")
	h.awaitPause("prod", "paused")
	h.does("rollout", "--continue", "--cluster", "prod", "--ecs-service", "paused")
}

// protect protects what runs of a service, as its tasks would.
func (h *policyRun) protect(cluster, service string, minutes int32) {
	h.t.Helper()
	h.calls = append(h.calls, h.aws.Calls()...)
	if err := h.sandbox.protect(h.t.Context(), cluster, service, minutes); err != nil {
		h.t.Fatal(err)
	}
	h.aws.ResetCalls()
}

// schedule makes a rule and a schedule that start tasks.
func (h *policyRun) schedule() {
	h.t.Helper()
	for _, rule := range []bool{true, false} {
		task := scheduledTask{name: "nightly", rule: rule, definition: "arn:aws:ecs:us-east-1:000000000000:task-definition/shop:1"}
		if err := task.create(h.t.Context(), testkit.AWSConfig(h.aws.URL())); err != nil {
			h.t.Fatal(err)
		}
	}
	h.aws.ResetCalls()
}

var policyCases = []policyCase{
	{"build", "build", repositoriesFixture, func(h *policyRun) { h.buildThrice() }},
	{"build on ECS", "build", controllerFixture(""), func(h *policyRun) {
		h.buildThrice()
		h.outside(exitDone, "stop")
		h.does("build", "--hash", "second")
	}},
	{"build that makes repositories", "build --create-repositories", emptyRegistryFixture, func(h *policyRun) { h.buildThrice("--create-repositories") }},
	{"build that uploads", "build --artifact s3://stock/path/definitions.zip", repositoriesFixture, func(h *policyRun) {
		h.makeBucket("stock")
		h.buildThrice("--artifact", "s3://stock/path/definitions.zip")
	}},
	{"build with a cache on S3", "build --cache s3://stock/layers", repositoriesFixture, func(h *policyRun) {
		h.makeBucket("stock")
		h.buildThrice("--cache", "s3://stock/layers")
		h.does("build", "--cache", "registry", "--hash", "third", "--rebuild")
		h.does("build", "--cache", "registry", "--hash", "fourth", "--rebuild")
	}},
	{"build that moves nothing", "build --no-latest", controllerFixture(""), func(h *policyRun) { h.buildThrice("--no-latest") }},
	{"build for a pull request", "build --untrusted", controllerFixture(""), func(h *policyRun) {
		h.outside(exitDone, "build", "--cache", "registry", "--hash", "zero") // a cache to read
		h.buildThrice("--untrusted", "--project-name", "shop")
	}},
	{"build for a pull request with a cache on S3", "build --untrusted --cache s3://stock/layers", repositoriesFixture, func(h *policyRun) {
		h.makeBucket("stock")
		h.outside(exitDone, "build", "--cache", "s3://stock/layers", "--hash", "zero")
		h.buildThrice("--untrusted", "--project-name", "shop", "--cache", "s3://stock/layers")
		h.outside(exitDone, "build", "--cache", "registry", "--hash", "one", "--rebuild")
		h.does("build", "--untrusted", "--project-name", "shop", "--cache", "registry", "--hash", "third", "--rebuild")
	}},
	{"build that deploys", "build --rollout --tags", controllerFixture(""), func(h *policyRun) { h.buildThrice("--rollout") }},
	{"build that CodeDeploy deploys", "build --rollout --deployment-group shop/shop", controllerFixture(types.DeploymentControllerTypeCodeDeploy), func(h *policyRun) { h.buildThrice("--rollout") }},

	{"retention", "retention", sharedServiceFixture, func(h *policyRun) {
		h.start("retention").wait(exitUsage)
		h.outside(exitDone, "stop")
		h.does("retention", "--apply", "--yes")
	}},
	{"retention previewed", "retention --preview", sharedServiceFixture, func(h *policyRun) { h.does("retention", "--preview") }},
	{"retention of a bucket", "retention --bucket s3://stock/a/", sharedServiceFixture, func(h *policyRun) {
		h.makeBucket("stock")
		h.start("retention", "--bucket", "s3://stock/a/").wait(exitUsage)
		h.outside(exitDone, "stop")
		h.does("retention", "--bucket", "s3://stock/a/", "--apply", "--yes")
	}},
	{"retention of a bucket previewed", "retention --preview --bucket stock", sharedServiceFixture, func(h *policyRun) {
		h.makeBucket("stock")
		h.does("retention", "--preview", "--bucket", "stock")
	}},

	{"rollout", "rollout", pausingServiceFixture, func(h *policyRun) {
		h.define("one")
		h.does("rollout")
		h.does("rollout", "two")
		h.goOn("one")
	}},
	{"rollout by CodeDeploy", "rollout --code-deploy --tags", codeDeployFixture, func(h *policyRun) {
		h.define("one")
		h.does("rollout")
		h.aws.Advance(time.Hour) // CodeDeploy keeps the old tasks for a while, and takes no second deployment
		h.does("rollout", "two")
	}},
	{"rollback", "rollback", sharedServiceFixture, func(h *policyRun) {
		h.does("rollback", "one") // reads latest: forced
		h.does("rollback", "--previous")
		h.define("one")
		h.outside(exitDone, "rollout")
		h.does("rollback", "two") // Describe a hash: registered
		h.start("rollback", "bad").wait(exitRolledBack)
		h.protect("prod", "shop", 2880)
		h.does("rollback", "one", "--timeout", "3s")
		h.protect("prod", "shop", 0)
		h.aws.Advance(49 * time.Hour)
		h.speed(1) // so that the deployment does not end before it is stopped
		h.start("rollback", "two", "--timeout", "1ms").wait(exitTimedOut)
	}},
	{"rollback by CodeDeploy", "rollback --code-deploy", codeDeployFixture, func(h *policyRun) {
		h.define("one")
		h.outside(exitDone, "rollout")
		h.aws.Advance(time.Hour)
		h.does("rollback", "two")
		h.aws.Advance(time.Hour)
		h.speed(1) // so that the deployment does not end before it is stopped
		h.start("rollback", "one", "--timeout", "1ms").wait(exitTimedOut)
	}},
	{"revisions", "revisions", sharedServiceFixture, func(h *policyRun) {
		h.recordRevision("shop/a", "one")
		h.does("revisions")
		h.does("revisions", "one")
	}},
	{"revisions of named services", "revisions --cluster prod --ecs-service shop", sharedServiceFixture, func(h *policyRun) {
		h.recordRevision("shop/a", "one")
		h.does("revisions", "--cluster", "prod", "--ecs-service", "shop")
		h.does("revisions", "one", "--cluster", "prod", "--ecs-service", "shop")
	}},
	{"diff", "diff", controllerFixture(""), func(h *policyRun) { h.diff() }},
	{"diff of named services", "diff --cluster prod --ecs-service shop", controllerFixture(""), func(h *policyRun) {
		h.diff("--cluster", "prod", "--ecs-service", "shop")
	}},
	{"status", "status", platformDigestsFixture, func(h *policyRun) {
		h.does("status")
		h.outside(exitRolledBack, "rollback", "bad")
		h.does("status")
	}},
	{"task", "task", controllerFixture(""), func(h *policyRun) {
		h.start("task", "--diff").wait(exitOther) // the settings differ
	}},
	{"status with scheduled tasks", "status --schedules", platformDigestsFixture, func(h *policyRun) {
		h.schedule()
		h.does("status", "--schedules")
		h.outside(exitRolledBack, "rollback", "bad")
		h.does("status")
	}},
	{"doctor", "doctor --caller service-role/build --artifact s3://stock/path/definitions.zip", assumedRoleFixture, func(h *policyRun) {
		h.makeBucket("stock")
		h.schedule()
		h.start("doctor", "--artifact", "s3://stock/path/definitions.zip").wait(exitOther) // no engine
	}},
	{"stop", "stop", sharedServiceFixture, func(h *policyRun) { h.does("stop") }},
	{"start", "start", sharedServiceFixture, func(h *policyRun) {
		h.does("start")
		h.outside(exitDone, "stop")
		h.does("start")
	}},
	{"secrets", "secrets", secretsFixture, func(h *policyRun) {
		h.outside(exitDone, "secrets", "push")
		h.does("secrets")
	}},
	{"secrets that are pushed", "secrets --push", secretsFixture, func(h *policyRun) {
		h.does("secrets", "push")
		h.outside(exitDone, "secrets")
		h.write("db", "hush-other-password")
		h.does("secrets", "push")
		h.does("secrets")
	}},
	{"doctor with secrets", "doctor --caller service-role/build", secretsFixture, func(h *policyRun) {
		h.schedule()
		h.start("doctor").wait(exitOther) // no engine
	}},
	{"submit", "submit --source s3://stock/shop/source.zip", pipelineFixture, func(h *policyRun) {
		h.does("submit", "s3://stock/shop/source.zip")
		h.does("submit", "s3://stock/shop/source.zip") // nothing changed
		if err := writeNoise(filepath.Join(h.dir, "noise")); err != nil {
			h.t.Fatal(err)
		}
		h.does("submit", "s3://stock/shop/source.zip") // in parts
	}},
	{"submit that follows", "submit --source s3://stock/shop/source.zip --pipeline shop", pipelineFixture, func(h *policyRun) {
		h.does("submit", "--wait", "--pipeline", "shop", "s3://stock/shop/source.zip")
	}},
}

// TestPolicies: the policy of each use has every action that its runs ask for, on what
// they ask it for, and no other.
func TestPolicies(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	needed := map[string]bool{}
	covered := map[string]bool{}
	t.Run("cases", func(t *testing.T) {
		for _, c := range slices.Concat(policyCases, settingsCases, creationCases) {
			for command := range strings.FieldsSeq(c.iam) {
				if slices.Contains(iam.Commands(), command) {
					covered[command] = true
				}
			}
			t.Run(c.what, func(t *testing.T) {
				t.Parallel()
				extra := c.check(t)
				mu.Lock()
				defer mu.Unlock()
				for _, action := range extra {
					needed[action] = true
				}
			})
		}
	})
	for _, command := range iam.Commands() {
		if !covered[command] {
			t.Errorf("no case runs %s", command)
		}
	}
	if t.Failed() {
		return
	}
	for action := range unseen {
		// Without an engine the builds were left out; the other commands use the same reasons.
		if !needed[action] {
			t.Errorf("the reason for %s is not needed: some run asks for it, or no policy has it", action)
		}
	}
}

// check returns the actions that the policy has and no run asked for.
func (c policyCase) check(t *testing.T) []string {
	h := &policyRun{ecsFixture: c.setUp(t)}
	policy := h.policy(strings.Fields(c.iam)...)
	h.aws.ResetCalls()
	c.run(h)
	used := map[string]bool{}
	use := func(action, repository string) {
		used[action] = true
		if !allowed(policy, action, repository) {
			t.Errorf("the policy does not allow %s on %q", action, repository)
		}
	}
	for _, call := range append(h.calls, h.aws.Calls()...) {
		action := permissionFor(call)
		if action == "" {
			continue
		}
		use(action, c.resourceOf(call))
		for _, too := range asksToo[action] {
			use(too, "")
		}
		if strings.Contains(c.iam, "--tags") {
			for _, too := range asksWithTags[action] {
				use(too, "")
			}
		}
	}
	var extra []string
	for _, s := range policy.Statement {
		for _, action := range s.Action {
			if used[action] {
				continue
			}
			extra = append(extra, action)
			if unseen[action] == "" {
				t.Errorf("the policy allows %s, which no run asks for (they ask for %s)", action, slices.Sorted(maps.Keys(used)))
			}
		}
	}
	return extra
}

// resourceOf is the end of the ARN that a call is about; empty where the record does not
// say or IAM cannot narrow it.
func (c policyCase) resourceOf(call sandbox.Call) string {
	switch {
	case call.Service == "s3" && call.Reference != "":
		return ":::" + call.Repository + "/" + call.Reference
	case call.Service == "s3":
		return ":::" + call.Repository
	case call.Service == "secretsmanager":
		if strings.HasPrefix(call.Reference, "shop/") {
			return ":secret:" + call.Reference + "-??????" // the project's own, by its name
		}
		return ":secret:" + call.Reference
	case call.Service == "cloudformation":
		return ":stack/" + call.Reference + "/*"
	case call.Service == "ssm":
		return ":parameter" + call.Reference
	case call.Service == "codepipeline":
		return ":" + call.Reference
	case (call.Service == "ecr" || call.Service == "registry") && call.Repository != "":
		return ":repository/" + call.Repository
	case call.Service == "ecs" && (call.Action == "UpdateService" || call.Action == "CreateService"):
		return ":service/prod/" + call.Reference
	default:
		return ""
	}
}

// allowed tells whether a statement allows an action on what ends so.
func allowed(p iam.Policy, action, end string) bool {
	return slices.ContainsFunc(p.Statement, func(s iam.Statement) bool {
		return slices.Contains(s.Action, action) && slices.ContainsFunc(s.Resource, func(r string) bool {
			return r == "*" || strings.HasSuffix(r, end) || underneath(r, end)
		})
	})
}

// underneath tells whether what ends so is an object below a prefix.
func underneath(resource, end string) bool {
	prefix, star := strings.CutSuffix(resource, "/*")
	_, bucket, object := strings.Cut(prefix, ":::")
	return star && object && strings.HasPrefix(end, ":::"+bucket+"/")
}

func (h *ecsFixture) policy(args ...string) iam.Policy {
	h.t.Helper()
	r := h.start(slices.Concat([]string{"buildspec", "iam"}, args)...).wait(exitDone)
	var p iam.Policy
	if err := json.Unmarshal(r.stdout.Bytes(), &p); err != nil {
		h.t.Fatalf("the policy is not JSON: %v\n%s", err, &r.stdout)
	}
	return p
}

// emptyRegistryFixture has an engine and nothing in its registry.
func emptyRegistryFixture(t *testing.T) *ecsFixture {
	s := newBuildFixture(t, "policy", sandbox.Options{ECSSpeed: 40})
	return &ecsFixture{buildFixture: s, sandbox: newECSSandbox(s.aws, s.proxy.host())}
}

// repositoriesFixture has an engine and the repositories.
func repositoriesFixture(t *testing.T) *ecsFixture {
	h := emptyRegistryFixture(t)
	for _, component := range componentNames {
		if _, err := h.sandbox.ecr.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop/" + component)}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// controllerFixture has images, and an ECS service with a deployment controller that
// runs them.
func controllerFixture(controller types.DeploymentControllerType) func(t *testing.T) *ecsFixture {
	return func(t *testing.T) *ecsFixture {
		h := repositoriesFixture(t)
		h.pushRevision("zero", nil)
		h.createServiceOfAll(controller)
		return h
	}
}

// createServiceOfAll makes the ECS service that runs all containers, and names it in the compose
// file.
func (h *ecsFixture) createServiceOfAll(controller types.DeploymentControllerType) {
	h.t.Helper()
	compose := "name: shop\nx-slipway: {ecs: {cluster: prod, service: shop}}\nservices:\n"
	var all []string
	for _, component := range componentNames {
		all = append(all, component+"=shop/"+component+":latest")
		compose += fmt.Sprintf("  %s: {build: ./%[1]s}\n", component)
	}
	h.createService(ecsServiceFixture{cluster: "prod", service: "shop", containers: all, controller: controller})
	h.write("compose.yaml", compose)
	h.aws.Advance(10 * time.Minute)
}

// buildThrice builds, builds what has changed with the layer cache that the first build
// left, and builds what is there already.
func (h *policyRun) buildThrice(flags ...string) {
	h.t.Helper()
	build := func(hash string) {
		h.t.Helper()
		h.does(slices.Concat([]string{"build", "--progress", "plain", "--cache", "registry", "--hash", hash}, flags)...)
	}
	build("first")
	h.write("a/file", "changed")
	build("second")
	build("second")
}

// diff compares two revisions that others built.
func (h *policyRun) diff(flags ...string) {
	h.t.Helper()
	h.outside(exitDone, "build", "--hash", "first")
	h.write("a/file", "changed")
	h.outside(exitDone, "build", "--hash", "second")
	h.start(append([]string{"diff", "first", "second"}, flags...)...).wait(exitOther)
}

func sharedServiceFixture(t *testing.T) *ecsFixture { return newECSFixture(t, false) }

// pausingServiceFixture is a sharedServiceFixture with another service, whose
// deployments wait at a lifecycle hook.
func pausingServiceFixture(t *testing.T) *ecsFixture {
	return withPausing(sharedServiceFixture(t))
}

func withPausing(h *ecsFixture) *ecsFixture {
	h.createService(ecsServiceFixture{
		cluster: "prod", service: "paused", containers: []string{"a=shop/a:latest"},
		strategy: types.DeploymentStrategyBlueGreen, hook: types.DeploymentLifecycleHookStagePostScaleUp,
	})
	h.aws.Advance(10 * time.Minute)
	return h
}

// awaitPause waits until the newest deployment of a service waits at a lifecycle hook.
func (h *ecsFixture) awaitPause(cluster, service string) {
	h.t.Helper()
	for h.t.Context().Err() == nil {
		paused, err := h.sandbox.paused(h.t.Context(), cluster, service)
		if err != nil {
			h.t.Fatal(err)
		}
		if paused {
			return
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// assumedRoleFixture is a sharedServiceFixture whose caller has assumed a role.
func assumedRoleFixture(t *testing.T) *ecsFixture { return assumeRole(sharedServiceFixture(t)) }

// assumeRole lets a role be the caller, on a host without an engine.
func assumeRole(h *ecsFixture) *ecsFixture {
	h.aws.Advance(-10 * time.Minute) // the way back from when its service started: the clocks agree
	h.aws.SetCaller("arn:aws:sts::000000000000:assumed-role/build/job", "arn:aws:iam::000000000000:role/service-role/build")
	h.env = append(h.env, "BUILDKIT_HOST=unix:///nowhere.sock")
	return h
}

// secretsFixture is an assumedRoleFixture whose compose file has a secret of its own, one
// of somebody else and a parameter.
func secretsFixture(t *testing.T) *ecsFixture {
	h := assumedRoleFixture(t)
	h.write("compose.yaml", `name: shop
x-slipway: {ecs: {cluster: prod, service: shop}, task: {}}
services:
  a: {build: ./a, secrets: [db, partner, flag]}
secrets:
  db: {file: db}
  partner: {external: true, name: "arn:aws:secretsmanager:us-east-1:000000000000:secret:partner/token-AbCdEf"}
  flag: {external: true, name: /shop/flag}
`)
	h.write("db", "hush-db-password")
	return h
}

// platformDigestsFixture has tasks that report the digests of their platforms' manifests.
func platformDigestsFixture(t *testing.T) *ecsFixture {
	h := &ecsFixture{buildFixture: newBuildFixtureOn(t, "ecs", sandbox.Options{ECSSpeed: 40, ECS: sandbox.ECSQuirks{PlatformDigests: true}}, "")}
	h.sandbox = newECSSandbox(h.aws, h.proxy.host())
	h.pushRevision("bad", map[string]string{"slipway.sandbox.exit": "1"})
	h.pushRevision("two", nil)
	if err := h.sandbox.pushIndex(t.Context(), "shop/a", "three", true); err != nil {
		t.Fatal(err)
	}
	h.createServiceOfAll("")
	return h
}

// codeDeployFixture has a service that CodeDeploy deploys.
func codeDeployFixture(t *testing.T) *ecsFixture {
	h := &ecsFixture{buildFixture: newBuildFixtureOn(t, "ecs", sandbox.Options{ECSSpeed: 40}, "")}
	h.sandbox = newECSSandbox(h.aws, h.proxy.host())
	h.pushRevision("one", nil)
	h.pushRevision("two", nil)
	h.createServiceOfAll(types.DeploymentControllerTypeCodeDeploy)
	return h
}

// pipelineFixture has a bucket for its source and a pipeline that reads it.
func pipelineFixture(t *testing.T) *ecsFixture {
	s := newBuildFixtureOn(t, "ecs", sandbox.Options{}, "")
	if err := errors.Join(makeVersioned(s.aws, "stock"), makePipeline(t.Context(), s.aws, "shop", "stock", "shop/source.zip")); err != nil {
		t.Fatal(err)
	}
	return &ecsFixture{buildFixture: s}
}

// define writes the definitions of a revision, as its build did.
func (h *ecsFixture) define(revision string) {
	h.t.Helper()
	var list []string
	for _, component := range componentNames {
		list = append(list, fmt.Sprintf(`{"name":%q,"imageUri":%q}`, component, h.proxy.host()+"/shop/"+component+":"+revision))
	}
	h.write("imagedefinitions.json", "["+strings.Join(list, ",")+"]")
}

// makeBucket makes a bucket as others would.
// recordRevision puts the record of a revision that is in a repository, as a build does.
func (h *policyRun) recordRevision(repository, name string) {
	h.t.Helper()
	h.calls = append(h.calls, h.aws.Calls()...)
	defer h.aws.ResetCalls()
	client := testkit.ECRClient(h.aws.URL(), "us-east-1")
	found, err := client.BatchGetImage(h.t.Context(), &ecr.BatchGetImageInput{
		RepositoryName: &repository, ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: &name}},
	})
	if err != nil || len(found.Images) != 1 {
		h.t.Fatalf("reading %s:%s: %+v, %v", repository, name, found, err)
	}
	image := found.Images[0]
	r := record.Record{Revision: name, Project: "shop", Made: time.Now()}
	text, err := r.Encode(ocispecs.Descriptor{
		MediaType: *image.ImageManifestMediaType, Digest: digest.Digest(*image.ImageId.ImageDigest), Size: int64(len(*image.ImageManifest)),
	})
	if err == nil {
		_, err = client.PutImage(h.t.Context(), &ecr.PutImageInput{
			RepositoryName: &repository, ImageTag: aws.String(registry.RecordTag(name)),
			ImageManifest: aws.String(string(text)), ImageManifestMediaType: aws.String(record.MediaType),
		})
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *ecsFixture) makeBucket(name string) {
	h.t.Helper()
	h.buildFixture.makeBucket(name)
	h.aws.ResetCalls()
}
