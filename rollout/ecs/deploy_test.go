package ecs

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"slipway/rollout/internal/fakeaws"
)

// deploying returns a change of a service whose container is pinned.
func deploying(t *testing.T, present string) Change {
	t.Helper()
	s := runs(container("web", present, 2))
	s.ARN = fakeaws.ServiceARN("shop", "web")
	s.Raw = types.Service{
		ClusterArn: aws.String(fakeaws.ClusterARN("shop")), ServiceName: aws.String("web"),
		Deployments: []types.Deployment{{Id: aws.String("ecs-svc/1"), Status: aws.String("PRIMARY")}},
	}
	c, err := Decide(s, map[string]DesiredImage{"web": want("shop/web:a1", 1)}, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var updated = fakeaws.Object{"service": fakeaws.Object{"deployments": []fakeaws.Object{
	{"id": "ecs-svc/1", "status": "ACTIVE", "createdAt": 60},
	{"id": "ecs-svc/2", "status": "PRIMARY", "createdAt": 120},
}}}

func TestDeployForces(t *testing.T) {
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"UpdateService": fakeaws.Fixed(updated)})
	c := deploying(t, "shop/web:latest")
	d, err := Deploy(t.Context(), s.ECS(), nil, c)
	if err != nil {
		t.Fatal(err)
	}
	if d.ID != "ecs-svc/2" || !d.Created.Equal(time.Unix(120, 0)) || d.TaskDefinition != c.Service.Definition.ARN || !d.Wants["web"].Has(digest(1)) {
		t.Errorf("deployment %+v", d)
	}
	in := s.Of("UpdateService")[0].In
	if in["forceNewDeployment"] != true || in["service"] != c.Service.ARN || in["cluster"] != fakeaws.ClusterARN("shop") {
		t.Errorf("UpdateService was sent %v", in)
	}
	for _, field := range []string{"taskDefinition", "desiredCount"} {
		if v, ok := in[field]; ok {
			t.Errorf("UpdateService was sent %s %v", field, v)
		}
	}
	s.WantCalls(map[string]int{"UpdateService": 1})
}

func TestDeployRegisters(t *testing.T) {
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"RegisterTaskDefinition": fakeaws.Fixed(fakeaws.Object{"taskDefinition": fakeaws.Object{"taskDefinitionArn": "shop:8"}}),
		"UpdateService":          fakeaws.Fixed(updated),
	})
	d, err := Deploy(t.Context(), s.ECS(), nil, deploying(t, "shop/web:b2"))
	if err != nil {
		t.Fatal(err)
	}
	in := s.Of("UpdateService")[0].In
	if d.TaskDefinition != "shop:8" || in["taskDefinition"] != "shop:8" || in["forceNewDeployment"] != true {
		t.Errorf("deployment %+v of %v", d, in)
	}
	registered := s.Of("RegisterTaskDefinition")[0].In["containerDefinitions"].([]any)[0].(fakeaws.Object)
	if registered["image"] != "shop/web:a1" {
		t.Errorf("registered %v, want shop/web:a1", registered)
	}
	s.WantCalls(map[string]int{"RegisterTaskDefinition": 1, "UpdateService": 1})
}

func TestDeployTellsWhetherItMayHaveStarted(t *testing.T) {
	registered := fakeaws.Fixed(fakeaws.Object{"taskDefinition": fakeaws.Object{"taskDefinitionArn": "shop:8"}})
	for _, test := range []struct {
		name             string
		register, update func(fakeaws.Object) any
		started          bool
		definition       string
	}{
		{"refused registration", fakeaws.Fixed(fakeaws.Refusal{Code: "ClientException"}), nil, false, ""},
		{"broken registration", fakeaws.Fixed(fakeaws.Refusal{Status: -1}), nil, false, ""},
		{"refused", registered, fakeaws.Fixed(fakeaws.Refusal{Code: "ServiceNotActiveException"}), false, "shop:8"},
		{"throttled", registered, fakeaws.Fixed(fakeaws.Refusal{Code: "ThrottlingException"}), false, "shop:8"},
		{"server error", registered, fakeaws.Fixed(fakeaws.Refusal{Status: 500, Code: "ServerException"}), true, "shop:8"},
		{"broken connection", registered, fakeaws.Fixed(fakeaws.Refusal{Status: -1}), true, "shop:8"},
		{"an answer that cannot be read", registered, fakeaws.Fixed([]byte(`{"service":{"deployments":7}}`)), true, "shop:8"},
		{"an answer without a deployment", registered, fakeaws.Fixed(fakeaws.Object{"service": fakeaws.Object{}}), true, "shop:8"},
		{"an empty answer", registered, fakeaws.Fixed(fakeaws.Object{}), true, "shop:8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			actions := map[string]func(fakeaws.Object) any{"RegisterTaskDefinition": test.register}
			if test.update != nil {
				actions["UpdateService"] = test.update
			}
			s := fakeaws.Start(t, actions)
			d, err := Deploy(t.Context(), s.ECS(), nil, deploying(t, "shop/web:b2"))
			var failed *DeployError
			if !errors.As(err, &failed) || d.ID != "" {
				t.Fatalf("deployment %v, error %v, want a *DeployError", d, err)
			}
			if failed.Started != test.started || failed.TaskDefinition != test.definition || failed.Ref != (Ref{"shop", "web"}) {
				t.Errorf("error %+v, want started %t, definition %q", failed, test.started, test.definition)
			}
		})
	}
}

func TestDeployThatIsCancelledMayHaveStarted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"UpdateService": func(fakeaws.Object) any { cancel(); return fakeaws.Refusal{Status: -1} }})
	_, err := Deploy(ctx, s.ECS(), nil, deploying(t, "shop/web"))
	var failed *DeployError
	if !errors.As(err, &failed) || !failed.Started || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// What the SDK says of a call that was given up between two tries, or never
// sent.
func TestMayHaveRun(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&aws.RequestCanceledError{Err: context.Canceled}, true},
		{&smithy.OperationError{Err: context.DeadlineExceeded}, true},
		{&smithy.OperationError{Err: errors.New("no credentials")}, false},
	} {
		if got := mayHaveStarted(test.err); got != test.want {
			t.Errorf("mayHaveStarted(%v) = %t, want %t", test.err, got, test.want)
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
				t.Errorf("newDeployment returned %q, %t, want %q", aws.ToString(got.Id), ok, test.want)
			}
		})
	}
}
