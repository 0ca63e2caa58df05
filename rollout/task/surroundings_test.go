package task_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"slipway/internal/testkit"
	"slipway/rollout/task"
)

// A definition that was written to a file and read again has all that its
// surroundings fill in.
func TestIn(t *testing.T) {
	dir := testkit.WriteTree(t, map[string]string{"compose.yaml": `name: shop
x-slipway: {task: {stack: shop}}
services:
  web:
    image: example.org/web
    environment: {OWN: OUTPUT_POSTSTABLE}
    secrets: [known, unknown]
    x-slipway: {outputs: {TABLE: PostsTable, QUEUE: Queue}}
secrets: {known: {file: a}, unknown: {file: b}}
`})
	definitions, _, err := derive(t, dir)
	text, jsonErr := task.JSON(definitions)
	var read []task.Definition
	if jsonErr := json.Unmarshal(text, &read); err != nil || jsonErr != nil || !reflect.DeepEqual(read, definitions) {
		t.Fatalf("read %+v, %v, %v, want %+v", read, err, jsonErr, definitions)
	}
	if jsonErr != nil || read[0].Stack != "shop" {
		t.Fatalf("stack %q, %v, want shop", read[0].Stack, jsonErr)
	}
	got := read[0].In(task.Surroundings{
		ExecutionRole: "arn:role/execution", LogGroup: "/ecs/shop", Region: "cn-north-1", Account: "123456789012",
		Outputs: map[string]string{"PostsTable": "posts"}, Secrets: map[string]string{"known": "arn:known"},
	}).Input
	c := got.Containers[0]
	want := []string{
		got.ExecutionRoleARN, "arn:role/execution", got.TaskRoleARN, "TASK_ROLE_ARN",
		c.LogConfiguration.Options["awslogs-group"], "/ecs/shop", c.LogConfiguration.Options["awslogs-region"], "cn-north-1",
		joined(c.Environment), "OWN=OUTPUT_POSTSTABLE QUEUE=OUTPUT_QUEUE TABLE=posts",
		c.Secrets[0].ValueFrom, "arn:known",
		c.Secrets[1].ValueFrom, "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:shop/unknown-SUFFIX",
	}
	for i := 0; i < len(want); i += 2 {
		if want[i] != want[i+1] {
			t.Errorf("got %q, want %q", want[i], want[i+1])
		}
	}
	if !reflect.DeepEqual(read, definitions) {
		t.Errorf("In changed its definition to %+v", read)
	}
}

func joined(list []task.Variable) string {
	var out []string
	for _, v := range list {
		out = append(out, v.Name+"="+v.Value)
	}
	return strings.Join(out, " ")
}
