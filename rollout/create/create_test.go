package create_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/fault"
	"slipway/internal/golden"
	"slipway/rollout/create"
	"slipway/rollout/task"
	"slipway/stack/outputs"
)

// around returns outputs of a network, and others.
func around(more map[string]string) outputs.Outputs {
	values := map[string]string{"Subnets": "subnet-a,subnet-b", "SecurityGroup": "sg-1"}
	for name, value := range more {
		values[name] = value
	}
	return outputs.Outputs{Stack: "site", Region: "eu-west-1", Account: "123456789012", Values: values}
}

var (
	balanced = map[string]string{"TargetGroup": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop/0123456789abcdef", "AssignPublicIp": "ENABLED"}
	inMap    = map[string]string{"Registry": "arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-shop"}
	entry    = &task.Entry{Container: "web", Port: 8080}
)

// TestRequest compares the requests with their golden files.
func TestRequest(t *testing.T) {
	for name, test := range map[string]struct {
		definition task.Definition
		outputs    map[string]string
	}{
		"load_balancer": {task.Definition{Entry: entry, Create: task.Create{DesiredCount: 2, MinimumHealthyPercent: 100, MaximumPercent: 150}}, balanced},
		"cloud_map":     {task.Definition{Entry: entry, Create: task.Create{DesiredCount: 1, MinimumHealthyPercent: 100, MaximumPercent: 200}}, inMap},
		"stop_first":    {task.Definition{Create: task.Create{DesiredCount: 1, MinimumHealthyPercent: 0, MaximumPercent: 100}}, balanced},
		"no_tasks":      {task.Definition{Create: task.Create{DesiredCount: 0, MinimumHealthyPercent: 100, MaximumPercent: 200}}, nil},
		"earlier_file":  {task.Definition{Entry: entry}, inMap},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := create.Request("shop", "arn:aws:ecs:eu-west-1:123456789012:service/shop/web", test.definition, around(test.outputs))
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, name+".txt", append(text(t, in), strings.Join(create.Lines(in), "\n")+"\n"...))
		})
	}
}

// text returns the fields of a request that are set.
func text(t *testing.T, in *ecs.CreateServiceInput) []byte {
	t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var fields any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	out, err := task.JSON(set(fields))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// set returns a value without fields that are null or empty.
func set(v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name, value := range object {
		if object[name] = set(value); value == nil || value == "" {
			delete(object, name)
		}
	}
	return object
}

// TestRequestRefused checks the errors for outputs that are missing.
func TestRequestRefused(t *testing.T) {
	for want, test := range map[string]struct {
		definition task.Definition
		outputs    map[string]string
	}{
		"has no output TargetGroup or Registry": {task.Definition{Entry: entry}, nil},
		"has no output SecurityGroup":           {task.Definition{}, map[string]string{"SecurityGroup": ""}},
		`output AssignPublicIp is "yes"`:        {task.Definition{}, map[string]string{"AssignPublicIp": "yes"}},
		"no Registry for the ECS service web":   {task.Definition{Entry: entry}, map[string]string{"Service": "api", "Registry": inMap["Registry"]}},
		"both outputs TargetGroup and Registry": {task.Definition{Entry: entry}, map[string]string{"TargetGroup": "a", "Registry": "b"}},
	} {
		_, err := create.Request("shop", "web", test.definition, around(test.outputs))
		if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("got %v, want a usage error with a hint: …%s…", err, want)
		}
	}
}

// TestWith checks that equal requests have equal tokens, and others have others.
func TestWith(t *testing.T) {
	token := func(desired int, definition, before string) string {
		t.Helper()
		in, err := create.Request("shop", "web", task.Definition{Create: task.Create{DesiredCount: desired, MinimumHealthyPercent: 100, MaximumPercent: 200}}, around(nil))
		if err != nil {
			t.Fatal(err)
		}
		out, err := create.With(in, definition, before)
		if err != nil || aws.ToString(out.TaskDefinition) != definition {
			t.Fatalf("With: %v, %v", out, err)
		}
		return aws.ToString(out.ClientToken)
	}
	first := token(1, "shop:1", "")
	if again := token(1, "shop:1", ""); again != first || len(first) == 0 || len(first) > 36 {
		t.Errorf("the tokens of one request are %q and %q, want the same of at most 36 characters", first, again)
	}
	for name, other := range map[string]string{
		"another desired count":   token(2, "shop:1", ""),
		"another task definition": token(1, "shop:2", ""),
		"a service deleted since": token(1, "shop:1", "2026-11-27"),
	} {
		if other == first {
			t.Errorf("%s: the token is %q again", name, other)
		}
	}
}

// TestNotes compares the settings of services with those of the compose file.
func TestNotes(t *testing.T) {
	have := types.Service{DesiredCount: 3, DeploymentConfiguration: &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(100), MaximumPercent: aws.Int32(150)}}
	for _, test := range []struct {
		want  task.Create
		notes string
	}{
		{task.Create{}, ""},
		{task.Create{DesiredCount: 1, MinimumHealthyPercent: 100, MaximumPercent: 200}, ""},
		{task.Create{DesiredCount: 3, MinimumHealthyPercent: 100, MaximumPercent: 150}, ""},
		{task.Create{DesiredCount: 2, MinimumHealthyPercent: 100, MaximumPercent: 150}, "desired count 3, in the compose file 2: it is set when the service is created"},
		{task.Create{DesiredCount: 3, MinimumHealthyPercent: 50, MaximumPercent: 150}, "minimumHealthyPercent 100, in the compose file 50: it is set when the service is created"},
	} {
		if got := strings.Join(create.Notes(test.want, have), "; "); got != test.notes {
			t.Errorf("Notes(%+v) = %q, want %q", test.want, got, test.notes)
		}
	}
}
