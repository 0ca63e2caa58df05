package surroundings_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/rollout/surroundings"
	"slipway/rollout/task"
)

// definition returns a definition whose container reads secrets, NAME=PLACE. Places
// without a colon are the project's own.
func definition(stack string, variables ...string) task.Definition {
	c := task.Container{Name: "web"}
	own := map[string]string{}
	for _, v := range variables {
		name, place, _ := strings.Cut(v, "=")
		if !strings.Contains(place, ":") && !strings.HasPrefix(place, "/") {
			own[name] = place
			place = "arn:aws:secretsmanager:REGION:ACCOUNT:secret:shop/" + place + "-SUFFIX"
		}
		c.Secrets = append(c.Secrets, task.Secret{Name: name, ValueFrom: place})
	}
	return task.Definition{
		Stack: stack, Services: []string{"web"}, Secrets: map[string]map[string]string{"web": own},
		Input: task.Input{ExecutionRoleARN: "EXECUTION_ROLE_ARN", TaskRoleARN: "TASK_ROLE_ARN", Containers: []task.Container{c}},
	}
}

// world is a sandbox with the stacks one and two, and some secrets.
type world struct {
	*sandbox.Server
	t    *testing.T
	arns map[string]string
}

func newWorld(t *testing.T, secrets ...string) world {
	t.Helper()
	w := world{testkit.StartSandbox(t, sandbox.Options{}), t, map[string]string{}}
	for _, name := range []string{"one", "two"} {
		w.SetStack(name, sandbox.Stack{Outputs: map[string]string{"ExecutionRole": "arn:execution-" + name, "TaskRole": "arn:task-" + name}})
	}
	c := secretsmanager.NewFromConfig(testkit.AWSConfig(w.URL()))
	for _, name := range secrets {
		out, err := c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("hush")})
		if err != nil {
			t.Fatal(err)
		}
		w.arns[name] = *out.ARN
	}
	w.ResetCalls()
	return w
}

func (w world) read(definitions ...task.Definition) (surroundings.Surroundings, error) {
	return surroundings.Read(w.t.Context(), &awsclient.Clients{Config: testkit.AWSConfig(w.URL())}, definitions)
}

// wantCalls fails the test unless these actions were called, sorted.
func (w world) wantCalls(want ...string) {
	w.t.Helper()
	var got []string
	for _, c := range w.Calls() {
		got = append(got, c.Action)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		w.t.Errorf("calls %q, want %q", got, want)
	}
	w.ResetCalls()
}

func TestRead(t *testing.T) {
	w := newWorld(t, "shop/a", "shop/b", "partner")
	partner := w.arns["partner"]
	got, err := w.read(
		definition("one", "A=a", "AGAIN=a", "B=b", "KEY="+partner+":key::", "OTHER="+partner+":other::", "FLAG=/shop/flag"),
		definition("one", "A=a"),
		definition("two"),
	)
	if err != nil {
		t.Fatal(err)
	}
	w.wantCalls("DescribeSecret", "DescribeSecret", "DescribeSecret", "DescribeStacks", "DescribeStacks")
	if len(got.Definitions) != 3 || len(got.Denied) != 0 || got.Stacks["two"].Values["TaskRole"] != "arn:task-two" {
		t.Fatalf("got %+v", got)
	}
	first := got.Definitions[0]
	if first.Input.ExecutionRoleARN != "arn:execution-one" || got.Definitions[2].Input.TaskRoleARN != "arn:task-two" {
		t.Errorf("roles %s and %s", first.Input.ExecutionRoleARN, got.Definitions[2].Input.TaskRoleARN)
	}
	var from []string
	for _, s := range first.Input.Containers[0].Secrets {
		from = append(from, s.ValueFrom)
		if known := first.Versions[s.ValueFrom] != ""; known == strings.HasPrefix(s.ValueFrom, "/") {
			t.Errorf("the version of %s is %q", s.ValueFrom, first.Versions[s.ValueFrom])
		}
	}
	if want := []string{w.arns["shop/a"], w.arns["shop/a"], w.arns["shop/b"], partner + ":key::", partner + ":other::", "/shop/flag"}; !slices.Equal(from, want) {
		t.Errorf("secrets from %q, want %q", from, want)
	}
}

// TestReadNothing: a definition that needs nothing of AWS makes no request.
func TestReadNothing(t *testing.T) {
	w := newWorld(t)
	known := definition("one", "FLAG=/shop/flag")
	known.Input.ExecutionRoleARN, known.Input.TaskRoleARN = "arn:execution", "arn:task"
	got, err := w.read(definition("", "FLAG=arn:aws:ssm:us-east-1:000000000000:parameter/x"), known)
	if err != nil || len(got.Definitions) != 2 || got.Definitions[0].Input.TaskRoleARN != "TASK_ROLE_ARN" {
		t.Errorf("got %+v, %v, want the definitions as they were", got, err)
	}
	w.wantCalls()
}

func TestReadRefuses(t *testing.T) {
	w := newWorld(t, "shop/a", "partner")
	for _, x := range []struct {
		d             task.Definition
		problem, hint string
	}{
		{definition("three"), "stack three does not exist", "x-slipway.task.stack"},
		{definition("one", "A=a", "B=b"), "secrets.b: shop/b does not exist: no task can start with it", "run `slipway secrets push b`"},
		{definition("", "P=arn:aws:secretsmanager:us-east-1:000000000000:secret:gone-AbCdEf"), "services.web.secrets.P: arn:aws:secretsmanager:us-east-1:000000000000:secret:gone-AbCdEf does not exist", "create it"},
		{definition("", "P="+w.arns["partner"]+"::AWSPENDING:"), "has no AWSPENDING", "correct the stage or the version"},
		{definition("", "P="+w.arns["partner"]+":::0123"), "has no version 0123", "correct the stage or the version"},
	} {
		_, err := w.read(x.d)
		if kind := fault.KindOf(err); kind != fault.Usage && kind != fault.Input || !strings.Contains(err.Error(), x.problem) || !strings.Contains(fault.HintOf(err), x.hint) {
			t.Errorf("got %v (%s), want %q (%q)", err, fault.HintOf(err), x.problem, x.hint)
		}
	}
}

func TestReadDenied(t *testing.T) {
	w := newWorld(t, "shop/a")
	w.Deny("cloudformation:DescribeStacks", "secretsmanager:DescribeSecret")
	got, err := w.read(definition("two", "A=a"), definition("one"))
	if want := "[cloudformation:DescribeStacks on one cloudformation:DescribeStacks on two secretsmanager:DescribeSecret on shop/a]"; err != nil || fmt.Sprint(got.Denied) != want {
		t.Errorf("denied %v, %v, want %s", got.Denied, err, want)
	}
	if d := got.Definitions[0]; len(d.Versions) != 0 || len(d.Unknown()) != 3 {
		t.Errorf("got %+v, want a definition of which three values are not known", d)
	}
}
