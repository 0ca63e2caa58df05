package ecs

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/aws/smithy-go"

	"slipway/internal/awsclient"
)

// deploying is a change of a service whose container is pinned.
func deploying(t *testing.T, present string) Change {
	t.Helper()
	s := runs(container("web", present, 2))
	s.ARN = serviceARN("shop", "web")
	s.Raw = types.Service{
		ClusterArn: aws.String(clusterARN("shop")), ServiceName: aws.String("web"),
		Deployments: []types.Deployment{{Id: aws.String("ecs-svc/1"), Status: aws.String("PRIMARY")}},
	}
	c, err := Decide(s, map[string]DesiredImage{"web": want("shop/web:a1", 1)}, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var updated = object{"service": object{"deployments": []object{
	{"id": "ecs-svc/1", "status": "ACTIVE", "createdAt": 60},
	{"id": "ecs-svc/2", "status": "PRIMARY", "createdAt": 120},
}}}

func TestDeployForces(t *testing.T) {
	s := startScript(t, map[string]func(object) any{"UpdateService": fixed(updated)})
	c := deploying(t, "shop/web:latest")
	d, err := Deploy(t.Context(), s.ecs(), nil, c)
	if err != nil {
		t.Fatal(err)
	}
	if d.ID != "ecs-svc/2" || !d.Created.Equal(time.Unix(120, 0)) || d.TaskDefinition != c.Service.Definition.ARN || !d.Wants["web"].Has(digest(1)) {
		t.Errorf("deployment %+v", d)
	}
	in := s.of("UpdateService")[0].in
	if in["forceNewDeployment"] != true || in["service"] != c.Service.ARN || in["cluster"] != clusterARN("shop") {
		t.Errorf("UpdateService was sent %v", in)
	}
	for _, field := range []string{"taskDefinition", "desiredCount"} {
		if v, ok := in[field]; ok {
			t.Errorf("UpdateService was sent %s %v", field, v)
		}
	}
	s.wantCalls(map[string]int{"UpdateService": 1})
}

func TestDeployRegisters(t *testing.T) {
	s := startScript(t, map[string]func(object) any{
		"RegisterTaskDefinition": fixed(object{"taskDefinition": object{"taskDefinitionArn": "shop:8"}}),
		"UpdateService":          fixed(updated),
	})
	d, err := Deploy(t.Context(), s.ecs(), nil, deploying(t, "shop/web:b2"))
	if err != nil {
		t.Fatal(err)
	}
	in := s.of("UpdateService")[0].in
	if d.TaskDefinition != "shop:8" || in["taskDefinition"] != "shop:8" || in["forceNewDeployment"] != true {
		t.Errorf("deployment %+v of %v", d, in)
	}
	registered := s.of("RegisterTaskDefinition")[0].in["containerDefinitions"].([]any)[0].(object)
	if registered["image"] != "shop/web:a1" {
		t.Errorf("registered %v", registered)
	}
	s.wantCalls(map[string]int{"RegisterTaskDefinition": 1, "UpdateService": 1})
}

func TestDeployTellsWhetherItMayHaveStarted(t *testing.T) {
	registered := fixed(object{"taskDefinition": object{"taskDefinitionArn": "shop:8"}})
	for _, test := range []struct {
		name             string
		register, update func(object) any
		started          bool
		definition       string
	}{
		{"refused registration", fixed(refusal{code: "ClientException"}), nil, false, ""},
		{"broken registration", fixed(refusal{status: -1}), nil, false, ""},
		{"refused", registered, fixed(refusal{code: "ServiceNotActiveException"}), false, "shop:8"},
		{"throttled", registered, fixed(refusal{code: "ThrottlingException"}), false, "shop:8"},
		{"server error", registered, fixed(refusal{status: 500, code: "ServerException"}), true, "shop:8"},
		{"broken connection", registered, fixed(refusal{status: -1}), true, "shop:8"},
		{"an answer that cannot be read", registered, fixed([]byte(`{"service":{"deployments":7}}`)), true, "shop:8"},
		{"an answer without a deployment", registered, fixed(object{"service": object{}}), true, "shop:8"},
		{"an empty answer", registered, fixed(object{}), true, "shop:8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			actions := map[string]func(object) any{"RegisterTaskDefinition": test.register}
			if test.update != nil {
				actions["UpdateService"] = test.update
			}
			s := startScript(t, actions)
			d, err := Deploy(t.Context(), s.ecs(), nil, deploying(t, "shop/web:b2"))
			var failed *DeployError
			if !errors.As(err, &failed) || d.ID != "" {
				t.Fatalf("deployment %v, error %v, want a *DeployError", d, err)
			}
			if failed.Started != test.started || failed.TaskDefinition != test.definition || failed.Ref != (Ref{"shop", "web"}) {
				t.Errorf("error %+v, want started %t, definition %q", failed, test.started, test.definition)
			}
			if test.started && failed.Hint() == "" {
				t.Error("no hint for one that may have started")
			}
		})
	}
}

func TestDeployThatIsCancelledMayHaveStarted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := startScript(t, map[string]func(object) any{"UpdateService": func(object) any { cancel(); return refusal{status: -1} }})
	_, err := Deploy(ctx, s.ecs(), nil, deploying(t, "shop/web"))
	var failed *DeployError
	if !errors.As(err, &failed) || !failed.Started || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// What the SDK says of a call that was given up between two tries, or never sent.
func TestMayHaveRun(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&aws.RequestCanceledError{Err: context.Canceled}, true},
		{&smithy.OperationError{Err: context.DeadlineExceeded}, true},
		{&smithy.OperationError{Err: errors.New("no credentials")}, false},
	} {
		if got := mayHaveRun(test.err); got != test.want {
			t.Errorf("%v: %t, want %t", test.err, got, test.want)
		}
	}
}

func TestDeployOfNothing(t *testing.T) {
	if _, err := Deploy(t.Context(), nil, nil, Change{Action: Leave}); !errors.Is(err, ErrNothingToDeploy) {
		t.Errorf("error %v", err)
	}
}

func TestNewDeployment(t *testing.T) {
	d := func(id, status string, at int64) types.Deployment {
		return types.Deployment{Id: &id, Status: &status, CreatedAt: aws.Time(time.Unix(at, 0))}
	}
	before := types.Service{Deployments: []types.Deployment{d("1", "PRIMARY", 1), d("0", "ACTIVE", 0)}}
	for _, test := range []struct {
		name  string
		after []types.Deployment
		want  string
	}{
		{"the primary one", []types.Deployment{d("1", "ACTIVE", 1), d("2", "PRIMARY", 2)}, "2"},
		{"the primary one, though another came since the service was read", []types.Deployment{d("3", "ACTIVE", 3), d("2", "PRIMARY", 2)}, "2"},
		{"the newest that was not there, when the primary one was", []types.Deployment{d("1", "PRIMARY", 1), d("2", "ACTIVE", 2), d("3", "ACTIVE", 3)}, "3"},
		{"the primary one, when none is new", []types.Deployment{d("0", "ACTIVE", 0), d("1", "PRIMARY", 1)}, "1"},
		{"none", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := newDeployment(before, &types.Service{Deployments: test.after})
			if aws.ToString(got.Id) != test.want || ok != (test.want != "") {
				t.Errorf("%q, %t, want %q", aws.ToString(got.Id), ok, test.want)
			}
		})
	}
}

func TestStopDeployment(t *testing.T) {
	s := startScript(t, map[string]func(object) any{
		"StopServiceDeployment": fixed(object{"serviceDeploymentArn": deploymentARN(3)}),
		"StopDeployment":        fixed(object{"status": "Pending"}),
	})
	d := Deployment{ID: "ecs-svc/3", ARN: deploymentARN(3)}
	if err := StopDeployment(t.Context(), s.ecs(), s.codeDeploy(), d); err != nil {
		t.Fatal(err)
	}
	if in := s.of("StopServiceDeployment")[0].in; in["serviceDeploymentArn"] != deploymentARN(3) || in["stopType"] != "ROLLBACK" {
		t.Errorf("StopServiceDeployment was sent %v", in)
	}
	d = Deployment{ID: "d-3", Service: Service{Controller: "CODE_DEPLOY"}}
	if err := StopDeployment(t.Context(), s.ecs(), s.codeDeploy(), d); err != nil {
		t.Fatal(err)
	}
	if in := s.of("StopDeployment")[0].in; in["deploymentId"] != "d-3" || in["autoRollbackEnabled"] != true {
		t.Errorf("StopDeployment was sent %v", in)
	}
	s.wantCalls(map[string]int{"StopServiceDeployment": 1, "StopDeployment": 1})
}

// A stop that is answered with nothing is asked for again; it is not taken for done.
func TestStopDeploymentWithHollowAnswers(t *testing.T) {
	service := Service{Ref: Ref{"shop", "web"}}
	byCodeDeploy := service
	byCodeDeploy.Controller = types.DeploymentControllerTypeCodeDeploy
	for action, d := range map[string]Deployment{
		"StopServiceDeployment": {Service: service, ID: "ecs-svc/3", ARN: deploymentARN(3)},
		"StopDeployment":        {Service: byCodeDeploy, ID: "d-3"},
	} {
		for hollow, want := range map[int]bool{1: true, 2: false} {
			n := 0
			s := startScript(t, map[string]func(object) any{action: func(object) any {
				if n++; n <= hollow {
					return object{}
				}
				return object{"serviceDeploymentArn": deploymentARN(3), "status": "Pending"}
			}})
			err := StopDeployment(t.Context(), s.ecs(), s.codeDeploy(), d)
			var partial *awsclient.IncompleteError
			if stopped := err == nil; stopped != want || !stopped && (!errors.As(err, &partial) || partial.Operation != action) {
				t.Errorf("%s after %d hollow answers: %v", action, hollow, err)
			}
		}
	}
}

func TestStopDeploymentFindsTheDeployment(t *testing.T) {
	lists := 0
	s := startScript(t, map[string]func(object) any{
		"ListServiceDeployments": func(object) any {
			if lists++; lists == 1 {
				return object{"serviceDeployments": []object{}} // ECS lists a new deployment some seconds late
			}
			return object{"serviceDeployments": []object{past(3, "IN_PROGRESS")}}
		},
		"StopServiceDeployment": fixed(refusal{code: "ServiceDeploymentNotFoundException"}),
	})
	d := Deployment{ID: "ecs-svc/3", Created: time.Unix(180, 0), Service: Service{Ref: Ref{"shop", "web"}}}
	err := StopDeployment(t.Context(), s.ecs(), nil, d)
	if !errors.As(err, new(*types.ServiceDeploymentNotFoundException)) {
		t.Errorf("error %v", err)
	}
	if got, want := s.order(), []string{"ListServiceDeployments", "ListServiceDeployments", "StopServiceDeployment"}; !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
	if in := s.of("StopServiceDeployment")[0].in; in["serviceDeploymentArn"] != deploymentARN(3) {
		t.Errorf("StopServiceDeployment was sent %v", in)
	}
}

func TestStopDeploymentThatIsNeverListed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := startScript(t, map[string]func(object) any{"ListServiceDeployments": func(object) any {
		time.AfterFunc(50*time.Millisecond, cancel)
		return object{"serviceDeployments": []object{}}
	}})
	err := StopDeployment(ctx, s.ecs(), nil, Deployment{ID: "ecs-svc/3", Service: Service{Ref: Ref{"shop", "web"}}})
	if !errors.Is(err, ErrNotListed) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
