package rollout

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/golden"
)

func TestAppSpec(t *testing.T) {
	balancers := []types.LoadBalancer{{ContainerName: aws.String("web"), ContainerPort: aws.Int32(8080)}}
	network := &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
		Subnets: []string{"subnet-1", "subnet-2"}, SecurityGroups: []string{"sg-1"}, AssignPublicIp: "ENABLED",
	}}
	for name, raw := range map[string]types.Service{
		"least": {LoadBalancers: balancers},
		"fargate": {
			LoadBalancers: balancers, NetworkConfiguration: network, PlatformVersion: aws.String("LATEST"),
			CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT"), Base: 1, Weight: 2}},
		},
		"task_set": {
			LoadBalancers: balancers, NetworkConfiguration: network, PlatformVersion: aws.String("LATEST"),
			CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE"), Weight: 1}},
			TaskSets: []types.TaskSet{{
				Status: aws.String("PRIMARY"), PlatformVersion: aws.String("1.4.0"),
				LoadBalancers: []types.LoadBalancer{{ContainerName: aws.String("api"), ContainerPort: aws.Int32(9090)}},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec, err := appSpec(Service{Raw: raw}, "arn:x:task-definition/shop:8")
			if err != nil {
				t.Fatal(err)
			}
			var indented bytes.Buffer
			if err := json.Indent(&indented, spec, "", "  "); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "appspec_"+name+".golden", append(indented.Bytes(), '\n'))
		})
	}
	if _, err := appSpec(Service{Ref: Ref{"shop", "web"}}, "x"); err == nil || !strings.Contains(err.Error(), "shop/web has no load balancer") {
		t.Errorf("error %v", err)
	}
}

// byCodeDeploy is a change of a service that CodeDeploy deploys; sets made its task sets.
func changeByCodeDeploy(t *testing.T, present string, sets ...string) Change {
	t.Helper()
	c := deploying(t, present)
	c.Service.Controller = types.DeploymentControllerTypeCodeDeploy
	c.Service.Raw.LoadBalancers = []types.LoadBalancer{{ContainerName: aws.String("web"), ContainerPort: aws.Int32(8080)}}
	for i, id := range sets {
		status := "ACTIVE"
		if i == len(sets)-1 {
			status = "PRIMARY"
		}
		c.Service.Raw.TaskSets = append(c.Service.Raw.TaskSets, types.TaskSet{ExternalId: aws.String(id), Status: &status})
	}
	return c
}

// codeDeployActions know deployment d-1 and the group of the names that the console gives.
func codeDeployActions(t *testing.T, more map[string]func(object) any) *script {
	t.Helper()
	actions := map[string]func(object) any{
		"GetDeployment": func(in object) any {
			if in["deploymentId"] != "d-1" {
				return refusal{code: "DeploymentDoesNotExistException"}
			}
			return object{"deploymentInfo": object{"applicationName": "app", "deploymentGroupName": "group"}}
		},
		"GetDeploymentGroup": func(in object) any {
			if in["applicationName"] != "AppECS-shop-web" || in["deploymentGroupName"] != "DgpECS-shop-web" {
				return refusal{code: "ApplicationDoesNotExistException"}
			}
			return object{"deploymentGroupInfo": object{"ecsServices": []object{{"clusterName": "shop", "serviceName": "web"}}}}
		},
		"CreateDeployment":       fixed(object{"deploymentId": "d-2"}),
		"RegisterTaskDefinition": fixed(object{"taskDefinition": object{"taskDefinitionArn": "shop:8"}}),
	}
	maps.Copy(actions, more)
	return startScript(t, actions)
}

func TestDeployByCodeDeploy(t *testing.T) {
	s := codeDeployActions(t, nil)
	d, err := Deploy(t.Context(), s.ecs(), s.codeDeploy(), changeByCodeDeploy(t, "shop/web:b2", "d-0", "d-1"))
	if err != nil {
		t.Fatal(err)
	}
	if d.ID != "d-2" || d.TaskDefinition != "shop:8" || len(d.Wants) != 1 {
		t.Errorf("deployment %+v", d)
	}
	if got, want := s.order(), []string{"GetDeployment", "RegisterTaskDefinition", "CreateDeployment"}; !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v: the serving task set tells the group", got, want)
	}
	in := s.of("CreateDeployment")[0].in
	revision := in["revision"].(object)
	content := revision["appSpecContent"].(object)
	if in["applicationName"] != "app" || in["deploymentGroupName"] != "group" || revision["revisionType"] != "AppSpecContent" ||
		!strings.Contains(content["content"].(string), `"TaskDefinition":"shop:8"`) || len(content["sha256"].(string)) != 64 {
		t.Errorf("CreateDeployment was sent %v", in)
	}
}

func TestDeployByCodeDeployOfThePresentDefinition(t *testing.T) {
	s := codeDeployActions(t, nil)
	c := changeByCodeDeploy(t, "shop/web:latest", "d-gone")
	d, err := Deploy(t.Context(), s.ecs(), s.codeDeploy(), c)
	if err != nil {
		t.Fatal(err)
	}
	if d.TaskDefinition != c.Service.Definition.ARN {
		t.Errorf("deployment %+v", d)
	}
	if got, want := s.order(), []string{"GetDeployment", "GetDeploymentGroup", "CreateDeployment"}; !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
	if in := s.of("CreateDeployment")[0].in; in["applicationName"] != "AppECS-shop-web" || in["deploymentGroupName"] != "DgpECS-shop-web" {
		t.Errorf("CreateDeployment was sent %v", in)
	}
}

func TestDeployByCodeDeployRefusals(t *testing.T) {
	others := fixed(object{"deploymentGroupInfo": object{"ecsServices": []object{{"clusterName": "shop", "serviceName": "other"}}}})
	for _, test := range []struct {
		name    string
		actions map[string]func(object) any
		change  func(*Change)
		is      func(error) bool
		started bool
		writes  []string
	}{
		{name: "no group of that name", actions: map[string]func(object) any{"GetDeploymentGroup": fixed(refusal{code: "DeploymentGroupDoesNotExistException"})},
			is: func(err error) bool {
				return errors.As(err, new(*GroupError)) && errors.As(err, new(*codedeploytypes.DeploymentGroupDoesNotExistException))
			}},
		{name: "a group of another service", actions: map[string]func(object) any{"GetDeploymentGroup": others},
			is: func(err error) bool { return errors.As(err, new(*GroupError)) && errors.Is(err, errOthersGroup) }},
		{name: "asking is refused", actions: map[string]func(object) any{"GetDeploymentGroup": fixed(refusal{code: "AccessDeniedException"})},
			is: func(err error) bool { return err != nil && !errors.As(err, new(*GroupError)) }},
		{name: "no load balancer", change: func(c *Change) { c.Service.Raw.LoadBalancers = nil },
			is: func(err error) bool { return strings.Contains(err.Error(), "no load balancer") }},
		{name: "a deployment is under way", actions: map[string]func(object) any{"CreateDeployment": fixed(refusal{code: "DeploymentLimitExceededException"})},
			is: func(err error) bool {
				var busy *BusyError
				return errors.As(err, &busy) && busy.Group == "DgpECS-shop-web" && busy.Hint() != ""
			}, writes: []string{"RegisterTaskDefinition", "CreateDeployment"}},
		{name: "it may have started", actions: map[string]func(object) any{"CreateDeployment": fixed(refusal{status: -1})},
			is: func(err error) bool { return true }, started: true, writes: []string{"RegisterTaskDefinition", "CreateDeployment"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := codeDeployActions(t, test.actions)
			c := changeByCodeDeploy(t, "shop/web:b2")
			if test.change != nil {
				test.change(&c)
			}
			_, err := Deploy(t.Context(), s.ecs(), s.codeDeploy(), c)
			var failed *DeployError
			if !errors.As(err, &failed) || failed.Started != test.started || !test.is(err) {
				t.Errorf("error %v, started %t", err, failed != nil && failed.Started)
			}
			writes := slices.DeleteFunc(s.order(), func(action string) bool { return strings.HasPrefix(action, "Get") })
			if !slices.Equal(writes, test.writes) {
				t.Errorf("writes %v, want %v", writes, test.writes)
			}
		})
	}
}
