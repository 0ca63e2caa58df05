package cmd

import (
	"context"
	"encoding/json"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/sandbox"
)

// stack [-status=STATUS] NAME [OUTPUT=VALUE...] makes a CloudFormation stack with outputs,
// or replaces it.
func scriptStack(ts *testscript.TestScript, _ bool, args []string) {
	made := sandbox.Stack{Outputs: map[string]string{}}
	if status, ok := strings.CutPrefix(args[0], "-status="); ok {
		made.Status, args = status, args[1:]
	}
	for _, output := range args[1:] {
		name, value, _ := strings.Cut(output, "=")
		made.Outputs[name] = value
	}
	sandboxOf(ts).SetStack(args[0], made)
}

// definition CLUSTER SERVICE FILE writes the task definition of an ECS service with its
// tags to a file.
func scriptDefinition(ts *testscript.TestScript, _ bool, args []string) {
	ctx, client := context.Background(), ecsSandboxOf(ts).ecs
	services, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &args[0], Services: []string{args[1]}})
	ts.Check(err)
	out, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: services.Services[0].TaskDefinition, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	ts.Check(err)
	text, err := json.MarshalIndent(map[string]any{"taskDefinition": out.TaskDefinition, "tags": out.Tags}, "", "  ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), text, 0o600))
}
