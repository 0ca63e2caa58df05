package cmd

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/task/diff"
)

// TestRollbackToSettingsKilledAtEachWrite ends rollbacks with SIGKILL at one request that
// writes after the other. Each revision has settings of its own. The same command again
// returns to them, and registers nothing.
func TestRollbackToSettingsKilledAtEachWrite(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	h.speed(400)
	h.deploySettings("one")
	h.deploySettings("two")
	h.aws.ResetCalls()
	h.killAtEachWrite("two", "one", func(string) {}, func(to, _ string) {
		h.runsAll(to)
		h.wantSettings(to)
	})
	if n := h.calls("ecs", "RegisterTaskDefinition"); n != 0 {
		t.Errorf("%d task definitions were registered, want none", n)
	}
}

// TestRollbackToInactiveKilledAtEachWrite is the same where all task definitions but the
// running one were deregistered.
func TestRollbackToInactiveKilledAtEachWrite(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	h.speed(400)
	h.deploySettings("one")
	h.deploySettings("two")
	h.killAtEachWrite("two", "one", func(string) { h.deregisterOthers() }, func(to, _ string) {
		h.runsAll(to)
		h.wantSettings(to)
	})
}

// deploySettings deploys a revision with a variable REVISION of its own, in a task
// definition with the tags of Slipway.
func (h *ecsFixture) deploySettings(revision string) {
	h.t.Helper()
	var containers []string
	for _, component := range componentNames {
		containers = append(containers, component+"=shop/"+component+":"+revision)
	}
	in := h.sandbox.definition(ecsServiceFixture{service: "shop", containers: containers, environment: map[string]string{"REVISION": revision}})
	in.Tags = []types.Tag{
		{Key: aws.String(diff.SettingsTag), Value: aws.String(revision)},
		{Key: aws.String(diff.ContainersTag), Value: aws.String(strings.Join(componentNames, " "))},
	}
	ctx := h.t.Context()
	out, err := h.sandbox.ecs.RegisterTaskDefinition(ctx, in)
	if err == nil {
		_, err = h.sandbox.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{
			Cluster: aws.String("prod"), Service: aws.String("shop"), TaskDefinition: out.TaskDefinition.TaskDefinitionArn,
		})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.aws.Advance(10 * time.Minute)
}

// running returns the task definition of the service.
func (h *ecsFixture) running() *ecs.DescribeTaskDefinitionOutput {
	h.t.Helper()
	s, err := h.sandbox.service(h.t.Context(), "prod", "shop")
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := h.sandbox.ecs.DescribeTaskDefinition(h.t.Context(), &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: s.TaskDefinition, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// deregisterOthers deregisters all task definitions of the service but the running one.
func (h *ecsFixture) deregisterOthers() {
	h.t.Helper()
	running := aws.ToString(h.running().TaskDefinition.TaskDefinitionArn)
	list, err := h.sandbox.ecs.ListTaskDefinitions(h.t.Context(), &ecs.ListTaskDefinitionsInput{FamilyPrefix: aws.String("shop")})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, arn := range list.TaskDefinitionArns {
		if arn == running {
			continue
		}
		if _, err := h.sandbox.ecs.DeregisterTaskDefinition(h.t.Context(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &arn}); err != nil {
			h.t.Fatal(err)
		}
	}
}

// wantSettings checks that the service runs the settings of a revision, and the tag that
// says so.
func (h *ecsFixture) wantSettings(revision string) {
	h.t.Helper()
	out := h.running()
	for _, c := range out.TaskDefinition.ContainerDefinitions {
		i := slices.IndexFunc(c.Environment, func(v types.KeyValuePair) bool { return aws.ToString(v.Name) == "REVISION" })
		if i < 0 || aws.ToString(c.Environment[i].Value) != revision {
			h.t.Errorf("container %s has the environment %v, want that of %s", aws.ToString(c.Name), c.Environment, revision)
		}
	}
	if !slices.ContainsFunc(out.Tags, func(tag types.Tag) bool {
		return aws.ToString(tag.Key) == diff.SettingsTag && aws.ToString(tag.Value) == revision
	}) {
		h.t.Errorf("the task definition has the tags %v, want %s=%s", out.Tags, diff.SettingsTag, revision)
	}
}
