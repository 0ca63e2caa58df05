package outputs_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"slipway/internal/fault"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/rollout/task"
	"slipway/stack/outputs"
)

// site are the outputs of a stack of site-alb.
var site = map[string]string{
	"ExecutionRole": "arn:aws:iam::000000000000:role/execution", "TaskRole": "arn:aws:iam::000000000000:role/task", "LogGroup": "/ecs/shop",
	"Subnets": "subnet-1,subnet-2", "SecurityGroup": "sg-1", "TargetGroup": "arn:tg", "AssignPublicIp": "ENABLED", "Cluster": "shop", "Url": "http://shop",
	"PostsTable": "posts",
}

// without returns outputs without some, and with others.
func without(removed string, added ...string) map[string]string {
	out := maps.Clone(site)
	for _, name := range strings.Fields(removed) {
		delete(out, name)
	}
	for i := 0; i < len(added); i += 2 {
		out[added[i]] = added[i+1]
	}
	return out
}

// definition returns a definition that knows nothing of its surroundings, with a variable
// from an output.
func definition(output string) task.Definition {
	return task.Definition{
		Outputs: map[string]map[string]string{"web": {"VALUE": output}},
		Input: task.Input{ExecutionRoleARN: "EXECUTION_ROLE_ARN", TaskRoleARN: "TASK_ROLE_ARN", Containers: []task.Container{{
			Name: "web", Environment: []task.Variable{{Name: "VALUE", Value: "OUTPUT_" + strings.ToUpper(output)}},
			LogConfiguration: &task.Log{LogDriver: "awslogs", Options: map[string]string{"awslogs-group": "LOG_GROUP", "awslogs-region": "REGION"}},
		}}},
	}
}

func read(t *testing.T, s *sandbox.Server, stack string) (outputs.Outputs, error) {
	t.Helper()
	return outputs.Read(t.Context(), cloudformation.NewFromConfig(testkit.AWSConfig(s.URL())), stack)
}

// wantUsage fails the test unless an error is one of usage with both texts.
func wantUsage(t *testing.T, err error, problem, hint string) {
	t.Helper()
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), problem) || !strings.Contains(fault.HintOf(err), hint) {
		t.Errorf("the error is %v (%s), want %q (%q)", err, fault.HintOf(err), problem, hint)
	}
}

func TestRead(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	s.SetStack("shop", sandbox.Stack{Outputs: site})
	got, err := read(t, s, "shop")
	if err != nil {
		t.Fatal(err)
	}
	around, err := got.Surroundings(definition("PostsTable"))
	if err != nil || around.ExecutionRole != site["ExecutionRole"] || around.TaskRole != site["TaskRole"] || around.LogGroup != "/ecs/shop" ||
		around.Region != "us-east-1" || around.Account != "000000000000" || around.Outputs["PostsTable"] != "posts" {
		t.Errorf("Surroundings() = %+v, %v", around, err)
	}
	network, err := got.Network()
	if want := (outputs.Network{Subnets: []string{"subnet-1", "subnet-2"}, SecurityGroups: []string{"sg-1"}, AssignPublicIP: "ENABLED"}); err != nil || !reflect.DeepEqual(network, want) {
		t.Errorf("Network() = %+v, %v, want %+v", network, err, want)
	}
	if endpoint, err := got.Endpoint("web"); err != nil || endpoint != (outputs.Endpoint{TargetGroup: "arn:tg"}) {
		t.Errorf("Endpoint(web) = %+v, %v", endpoint, err)
	}
	if got.Cluster() != "shop" || got.URL() != "http://shop" {
		t.Errorf("Cluster() = %q, URL() = %q", got.Cluster(), got.URL())
	}
	if calls := s.Calls(); len(calls) != 1 {
		t.Errorf("%d calls, want one for a stack", len(calls))
	}
}

func TestReadRefuses(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	_, err := read(t, s, "shop")
	wantUsage(t, err, "stack shop does not exist", "x-slipway.task.stack")
	for status, ok := range map[string]bool{
		"CREATE_IN_PROGRESS": false, "ROLLBACK_COMPLETE": false, "DELETE_IN_PROGRESS": false, "REVIEW_IN_PROGRESS": false,
		"UPDATE_IN_PROGRESS": true, "UPDATE_ROLLBACK_COMPLETE": true, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": true, "IMPORT_COMPLETE": true,
	} {
		s.SetStack("shop", sandbox.Stack{Status: status, Outputs: site})
		_, err := read(t, s, "shop")
		if ok && err != nil {
			t.Errorf("Read of a stack that is %s: %v", status, err)
		} else if !ok {
			wantUsage(t, err, "stack shop is "+status, "wait")
		}
	}
	s.Deny("cloudformation:DescribeStacks")
	if _, err := read(t, s, "shop"); fault.KindOf(err) != fault.AWS || !strings.Contains(err.Error(), "DescribeStacks shop") {
		t.Errorf("denied: %v, want an error of AWS", err)
	}
}

// TestMissing: each missing output is named, with the templates that have it.
func TestMissing(t *testing.T) {
	for _, name := range []string{"ExecutionRole", "TaskRole", "LogGroup"} {
		_, err := outputs.Outputs{Stack: "shop", Values: without(name)}.Surroundings(definition(name))
		wantUsage(t, err, "stack shop has no output "+name, "site-alb, site-api")
	}
	_, err := outputs.Outputs{Stack: "shop", Values: without("LogGroup TaskRole")}.Surroundings(definition("Queue"))
	for _, name := range []string{"LogGroup", "TaskRole", "Queue"} {
		wantUsage(t, err, "stack shop has no output "+name, "site-alb, site-api")
	}
	_, err = outputs.Outputs{Stack: "shop", Values: site}.Surroundings(definition("Queue"))
	wantUsage(t, err, "stack shop has no output Queue", "x-slipway.outputs")
	_, err = outputs.Outputs{Stack: "shop", Values: site}.Surroundings(definition("Table"))
	wantUsage(t, err, "stack shop has no output Table", ", table)")
	// A definition that has a value of its own needs no output.
	known := definition("ExecutionRole")
	known.Input.TaskRoleARN, known.Input.Containers[0].LogConfiguration = "arn:own", nil
	if around, err := (outputs.Outputs{Stack: "shop", Values: without("TaskRole LogGroup")}).Surroundings(known); err != nil || around.ExecutionRole != site["ExecutionRole"] {
		t.Errorf("Surroundings() = %+v, %v, want those without a task role", around, err)
	}
	for _, name := range []string{"Subnets", "SecurityGroup"} {
		_, err := outputs.Outputs{Stack: "shop", Values: without(name)}.Network()
		wantUsage(t, err, "stack shop has no output "+name, "site-alb, site-api")
	}
	_, err = outputs.Outputs{Stack: "shop", Values: without("TargetGroup")}.Endpoint("web")
	wantUsage(t, err, "stack shop has no output TargetGroup or Registry", "site-alb, site-api")
	_, err = outputs.Outputs{Stack: "shop", Values: without("", "Registry", "arn:r")}.Endpoint("web")
	wantUsage(t, err, "stack shop has both outputs TargetGroup and Registry", "remove one")
	_, err = outputs.Outputs{Stack: "shop", Values: without("", "AssignPublicIp", "yes")}.Network()
	wantUsage(t, err, `AssignPublicIp is "yes"`, "ENABLED or DISABLED")
	if network, err := (outputs.Outputs{Stack: "shop", Values: without("AssignPublicIp")}).Network(); err != nil || network.AssignPublicIP != "DISABLED" {
		t.Errorf("without AssignPublicIp: %+v, %v, want DISABLED", network, err)
	}
}

// TestRegistries: each ECS service of site-api has a registry of its own. A stack of
// another origin has one for all.
func TestRegistries(t *testing.T) {
	api := outputs.Outputs{Stack: "shop", Values: without("TargetGroup", "Service", "food", "Registry", "arn:1", "Service2", "pets", "Registry2", "arn:2")}
	for service, want := range map[string]string{"food": "arn:1", "pets": "arn:2"} {
		if got, err := api.Endpoint(service); err != nil || got.Registry != want {
			t.Errorf("Endpoint(%s) = %+v, %v, want %s", service, got, err, want)
		}
	}
	_, err := api.Endpoint("cars")
	wantUsage(t, err, "stack shop has no Registry for the ECS service cars, but for food, pets", "Service2")
	other := outputs.Outputs{Stack: "shop", Values: without("TargetGroup", "Registry", "arn:any")}
	if got, err := other.Endpoint("cars"); err != nil || got.Registry != "arn:any" {
		t.Errorf("Endpoint(cars) = %+v, %v, want arn:any", got, err)
	}
}
