package ecs

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/golden"
	"slipway/rollout/internal/fakeaws"
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

// changeByCodeDeploy is a change of a service that CodeDeploy deploys; sets
// made its task sets.
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

// codeDeployActions know deployment d-1 and the group of the names that the
// console gives.
func codeDeployActions(t *testing.T, more map[string]func(fakeaws.Object) any) *fakeaws.Server {
	t.Helper()
	actions := map[string]func(fakeaws.Object) any{
		"GetDeployment": func(in fakeaws.Object) any {
			if in["deploymentId"] == "d-2" {
				return fakeaws.Object{"deploymentInfo": fakeaws.Object{"deploymentConfigName": "steps"}}
			}
			if in["deploymentId"] != "d-1" {
				return fakeaws.Refusal{Code: "DeploymentDoesNotExistException"}
			}
			return fakeaws.Object{"deploymentInfo": fakeaws.Object{"applicationName": "app", "deploymentGroupName": "group"}}
		},
		"GetDeploymentGroup": func(in fakeaws.Object) any {
			if in["applicationName"] != "AppECS-shop-web" || in["deploymentGroupName"] != "DgpECS-shop-web" {
				return fakeaws.Refusal{Code: "ApplicationDoesNotExistException"}
			}
			return fakeaws.Object{"deploymentGroupInfo": fakeaws.Object{"ecsServices": []fakeaws.Object{{"clusterName": "shop", "serviceName": "web"}}}}
		},
		"ListDeployments":  fakeaws.Fixed(fakeaws.Object{"deployments": []string{}}),
		"CreateDeployment": fakeaws.Fixed(fakeaws.Object{"deploymentId": "d-2"}),
		"GetDeploymentConfig": func(in fakeaws.Object) any {
			if in["deploymentConfigName"] != "steps" {
				return fakeaws.Refusal{Code: "DeploymentConfigDoesNotExistException"}
			}
			return fakeaws.Object{"deploymentConfigInfo": fakeaws.Object{"trafficRoutingConfig": fakeaws.Object{"type": "TimeBasedLinear", "timeBasedLinear": fakeaws.Object{"linearPercentage": 30, "linearInterval": 2}}}}
		},
		"RegisterTaskDefinition": fakeaws.Fixed(fakeaws.Object{"taskDefinition": fakeaws.Object{"taskDefinitionArn": "shop:8"}}),
	}
	maps.Copy(actions, more)
	return fakeaws.Start(t, actions)
}

func TestDeployByCodeDeploy(t *testing.T) {
	s := codeDeployActions(t, nil)
	d, err := Deploy(t.Context(), s.ECS(), s.CodeDeploy(), changeByCodeDeploy(t, "shop/web:b2", "d-0", "d-1"))
	if err != nil {
		t.Fatal(err)
	}
	if d.ID != "d-2" || d.TaskDefinition != "shop:8" || len(d.Wants) != 1 || d.Wait != 6*time.Minute {
		t.Errorf("deployment %+v", d)
	}
	if got, want := s.Order(), []string{"GetDeployment", "ListDeployments", "RegisterTaskDefinition", "CreateDeployment", "GetDeployment", "GetDeploymentConfig"}; !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v: the serving task set tells the group", got, want)
	}
	in := s.Of("CreateDeployment")[0].In
	revision := in["revision"].(fakeaws.Object)
	content := revision["appSpecContent"].(fakeaws.Object)
	if in["applicationName"] != "app" || in["deploymentGroupName"] != "group" || revision["revisionType"] != "AppSpecContent" ||
		!strings.Contains(content["content"].(string), `"TaskDefinition":"shop:8"`) || len(content["sha256"].(string)) != 64 {
		t.Errorf("CreateDeployment was sent %v", in)
	}
}

func TestDeployByCodeDeployOfThePresentDefinition(t *testing.T) {
	s := codeDeployActions(t, nil)
	c := changeByCodeDeploy(t, "shop/web:latest", "d-gone")
	d, err := Deploy(t.Context(), s.ECS(), s.CodeDeploy(), c)
	if err != nil {
		t.Fatal(err)
	}
	if d.TaskDefinition != c.Service.Definition.ARN {
		t.Errorf("deployment %+v", d)
	}
	if got, want := s.Order(), []string{"GetDeployment", "GetDeploymentGroup", "ListDeployments", "CreateDeployment", "GetDeployment", "GetDeploymentConfig"}; !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
	if in := s.Of("CreateDeployment")[0].In; in["applicationName"] != "AppECS-shop-web" || in["deploymentGroupName"] != "DgpECS-shop-web" {
		t.Errorf("CreateDeployment was sent %v", in)
	}
}

func TestDeployByCodeDeployRefusals(t *testing.T) {
	others := fakeaws.Fixed(fakeaws.Object{"deploymentGroupInfo": fakeaws.Object{"ecsServices": []fakeaws.Object{{"clusterName": "shop", "serviceName": "other"}}}})
	for _, test := range []struct {
		name    string
		actions map[string]func(fakeaws.Object) any
		change  func(*Change)
		is      func(error) bool
		started bool
		writes  []string
	}{
		{name: "no group of that name", actions: map[string]func(fakeaws.Object) any{"GetDeploymentGroup": fakeaws.Fixed(fakeaws.Refusal{Code: "DeploymentGroupDoesNotExistException"})},
			is: func(err error) bool {
				return errors.As(err, new(*GroupError)) && errors.As(err, new(*codedeploytypes.DeploymentGroupDoesNotExistException))
			}},
		{name: "a group of another service", actions: map[string]func(fakeaws.Object) any{"GetDeploymentGroup": others},
			is: func(err error) bool { return errors.As(err, new(*GroupError)) && errors.Is(err, errOtherService) }},
		{name: "asking is refused", actions: map[string]func(fakeaws.Object) any{"GetDeploymentGroup": fakeaws.Fixed(fakeaws.Refusal{Code: "AccessDeniedException"})},
			is: func(err error) bool { return err != nil && !errors.As(err, new(*GroupError)) }},
		{name: "no load balancer", change: func(c *Change) { c.Service.Raw.LoadBalancers = nil },
			is: func(err error) bool { return strings.Contains(err.Error(), "no load balancer") }},
		{name: "a deployment is under way", actions: map[string]func(fakeaws.Object) any{"CreateDeployment": fakeaws.Fixed(fakeaws.Refusal{Code: "DeploymentLimitExceededException"})},
			is: func(err error) bool {
				var busy *BusyError
				return errors.As(err, &busy) && busy.Group == "DgpECS-shop-web" && busy.Hint() != ""
			}, writes: []string{"RegisterTaskDefinition", "CreateDeployment"}},
		{name: "it may have started", actions: map[string]func(fakeaws.Object) any{"CreateDeployment": fakeaws.Fixed(fakeaws.Refusal{Status: -1})},
			is: func(err error) bool { return true }, started: true, writes: []string{"RegisterTaskDefinition", "CreateDeployment"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := codeDeployActions(t, test.actions)
			c := changeByCodeDeploy(t, "shop/web:b2")
			if test.change != nil {
				test.change(&c)
			}
			_, err := Deploy(t.Context(), s.ECS(), s.CodeDeploy(), c)
			var failed *DeployError
			if !errors.As(err, &failed) || failed.Started != test.started || !test.is(err) {
				t.Errorf("error %v, started %t", err, failed != nil && failed.Started)
			}
			writes := slices.DeleteFunc(s.Order(), func(action string) bool { return strings.HasPrefix(action, "Get") || strings.HasPrefix(action, "List") })
			if !slices.Equal(writes, test.writes) {
				t.Errorf("writes %v, want %v", writes, test.writes)
			}
		})
	}
}

func TestPrepare(t *testing.T) {
	noGroup := map[string]func(fakeaws.Object) any{"GetDeploymentGroup": fakeaws.Fixed(fakeaws.Refusal{Code: "DeploymentGroupDoesNotExistException"})}
	for _, test := range []struct {
		name    string
		actions map[string]func(fakeaws.Object) any
		change  func(*Service)
		is      func(error) bool
	}{
		{name: "all there", is: func(err error) bool { return err == nil }},
		{name: "ECS deploys", actions: noGroup, change: func(s *Service) { s.Controller, s.Raw.LoadBalancers = types.DeploymentControllerTypeEcs, nil },
			is: func(err error) bool { return err == nil }},
		{name: "no group", actions: noGroup, is: func(err error) bool { return errors.As(err, new(*GroupError)) }},
		{name: "no load balancer", change: func(s *Service) { s.Raw.LoadBalancers = nil },
			is: func(err error) bool { return err != nil && strings.Contains(err.Error(), "no load balancer") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := codeDeployActions(t, test.actions)
			service := changeByCodeDeploy(t, "shop/web:b2").Service
			if test.change != nil {
				test.change(&service)
			}
			if err := Prepare(t.Context(), s.CodeDeploy(), service); !test.is(err) {
				t.Errorf("error %v", err)
			}
			if slices.ContainsFunc(s.Order(), func(action string) bool { return !strings.HasPrefix(action, "Get") }) {
				t.Errorf("calls %v", s.Order())
			}
		})
	}
}

// joining returns the answers while deployment d-9 is under way: how it
// describes itself, and the digest that its task runs, if any.
func joining(description, digest string) map[string]func(fakeaws.Object) any {
	answer := fakeaws.Object{}
	tasks := []fakeaws.Object{{"taskArn": "t0", "startedBy": "ecs-svc/1", "lastStatus": "RUNNING", "containers": []fakeaws.Object{{"name": "web", "imageDigest": "sha256:old"}}}}
	if digest != "" {
		tasks = append(tasks, fakeaws.Object{"taskArn": "t1", "startedBy": "ecs-svc/2", "lastStatus": "RUNNING", "containers": []fakeaws.Object{{"name": "web", "imageDigest": digest}}})
	} else {
		answer["failures"] = []fakeaws.Object{{"arn": "t1", "reason": "MISSING"}}
	}
	answer["tasks"] = tasks
	return map[string]func(fakeaws.Object) any{
		"ListDeployments": fakeaws.Fixed(fakeaws.Object{"deployments": []string{"d-9"}}),
		"GetDeployment": func(in fakeaws.Object) any {
			info := fakeaws.Object{"deploymentId": in["deploymentId"], "status": "Succeeded", "applicationName": "app", "deploymentGroupName": "group"}
			if in["deploymentId"] == "d-9" {
				info["status"], info["description"], info["deploymentConfigName"] = "InProgress", description, "steps"
			}
			return fakeaws.Object{"deploymentInfo": info}
		},
		"CreateDeployment": fakeaws.Fixed(fakeaws.Refusal{Code: "DeploymentLimitExceededException"}),
		"DescribeServices": fakeaws.Fixed(fakeaws.Object{"services": []fakeaws.Object{{"serviceName": "web", "status": "ACTIVE", "taskSets": []fakeaws.Object{
			{"id": "ecs-svc/1", "externalId": "d-1", "status": "PRIMARY"}, {"id": "ecs-svc/2", "externalId": "d-9", "status": "ACTIVE", "taskDefinition": "shop:9"}}}}}),
		"ListTasks":     fakeaws.Fixed(fakeaws.Object{"taskArns": []string{"t0", "t1"}}),
		"DescribeTasks": fakeaws.Fixed(answer),
	}
}

// The same command again, while what it started before goes on.
func TestDeployByCodeDeployJoinsItsOwn(t *testing.T) {
	c := changeByCodeDeploy(t, "shop/web:b2", "d-9", "d-1")
	wanted := c.Wants["web"].Digests[0]
	other := c
	other.Wants = map[string]DesiredImage{"web": {Image: "shop/web:other", Digests: []string{"sha256:other"}}}
	for _, test := range []struct {
		name                string
		description, digest string
		change              func(map[string]func(fakeaws.Object) any)
		busy                bool
	}{
		{name: "it says what it brings", description: c.deploymentDescription()},
		{name: "its tasks run the images", digest: wanted},
		{name: "it says that it brings others", description: other.deploymentDescription(), busy: true},
		{name: "its tasks run others", digest: "sha256:other", busy: true},
		{name: "nothing of it runs", busy: true},
		{name: "listing is refused", description: c.deploymentDescription(), change: func(a map[string]func(fakeaws.Object) any) {
			a["ListDeployments"] = fakeaws.Fixed(fakeaws.Refusal{Code: "AccessDeniedException"})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			actions := joining(test.description, test.digest)
			if test.change != nil {
				test.change(actions)
			}
			s := codeDeployActions(t, actions)
			d, err := Deploy(t.Context(), s.ECS(), s.CodeDeploy(), c)
			asked := Busy(t.Context(), s.ECS(), s.CodeDeploy(), c)
			for _, err := range []error{err, asked} {
				var busy *BusyError
				if errors.As(err, &busy) != test.busy || !test.busy && err != nil || test.busy && busy.Deployment != "d-9" {
					t.Errorf("error %v", err)
				}
			}
			if !test.busy && (d.ID != "d-9" || d.TaskDefinition != "shop:9" || d.Wait != 6*time.Minute || len(d.Wants) != 1) {
				t.Errorf("deployment %+v", d)
			}
			if n := s.Count(); n["RegisterTaskDefinition"]+n["CreateDeployment"] > 0 {
				t.Errorf("calls %v", n)
			}
		})
	}
}

// The SDK repeats a call whose answer got lost, and the answer names its own
// deployment.
func TestDeployByCodeDeployAfterALostAnswer(t *testing.T) {
	c := changeByCodeDeploy(t, "shop/web:b2", "d-1")
	actions := joining(c.deploymentDescription(), "")
	begun := false
	listed := actions["ListDeployments"]
	actions["ListDeployments"] = func(in fakeaws.Object) any {
		if statuses := fakeaws.Strings(in, "includeOnlyStatuses"); !slices.Contains(statuses, "InProgress") || slices.Contains(statuses, "Succeeded") {
			t.Errorf("asked for %v", statuses)
		}
		if !begun {
			return fakeaws.Object{"deployments": []string{}}
		}
		return listed(in)
	}
	refuse := actions["CreateDeployment"]
	actions["CreateDeployment"] = func(in fakeaws.Object) any { begun = true; return refuse(in) }
	s := codeDeployActions(t, actions)
	d, err := Deploy(t.Context(), s.ECS(), s.CodeDeploy(), c)
	if err != nil || d.ID != "d-9" {
		t.Errorf("Deploy returned deployment %q, error %v; want d-9, the one that was started before", d.ID, err)
	}
	if in := s.Of("CreateDeployment")[0].In; in["description"] != c.deploymentDescription() {
		t.Errorf("described as %v", in["description"])
	}
}

func TestShiftTime(t *testing.T) {
	canary := fakeaws.Fixed(fakeaws.Object{"deploymentConfigInfo": fakeaws.Object{"trafficRoutingConfig": fakeaws.Object{"type": "TimeBasedCanary", "timeBasedCanary": fakeaws.Object{"canaryPercentage": 10, "canaryInterval": 15}}}})
	ready := func(action codedeploytypes.DeploymentReadyAction) *codedeploytypes.BlueGreenDeploymentConfiguration {
		return &codedeploytypes.BlueGreenDeploymentConfiguration{
			DeploymentReadyOption:                     &codedeploytypes.DeploymentReadyOption{ActionOnTimeout: action, WaitTimeInMinutes: 30},
			TerminateBlueInstancesOnDeploymentSuccess: &codedeploytypes.BlueInstanceTerminationOption{Action: "TERMINATE", TerminationWaitTimeInMinutes: 60},
		}
	}
	for _, test := range []struct {
		name   string
		config func(fakeaws.Object) any
		info   codedeploytypes.DeploymentInfo
		want   time.Duration
	}{
		{"canary", canary, codedeploytypes.DeploymentInfo{DeploymentConfigName: aws.String("c")}, 15 * time.Minute},
		{"linear", nil, codedeploytypes.DeploymentInfo{DeploymentConfigName: aws.String("steps")}, 6 * time.Minute},
		{"all at once", fakeaws.Fixed(fakeaws.Object{"deploymentConfigInfo": fakeaws.Object{"trafficRoutingConfig": fakeaws.Object{"type": "AllAtOnce"}}}), codedeploytypes.DeploymentInfo{DeploymentConfigName: aws.String("c")}, 0},
		{"refused", fakeaws.Fixed(fakeaws.Refusal{Code: "AccessDeniedException"}), codedeploytypes.DeploymentInfo{DeploymentConfigName: aws.String("c")}, 0},
		{"none named", nil, codedeploytypes.DeploymentInfo{}, 0},
		{"the traffic is rerouted by hand", canary, codedeploytypes.DeploymentInfo{DeploymentConfigName: aws.String("c"), BlueGreenDeploymentConfiguration: ready("STOP_DEPLOYMENT")}, 45 * time.Minute},
		{"the traffic is rerouted at the end of the wait", canary, codedeploytypes.DeploymentInfo{DeploymentConfigName: aws.String("c"), BlueGreenDeploymentConfiguration: ready("CONTINUE_DEPLOYMENT")}, 15 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			more := map[string]func(fakeaws.Object) any{}
			if test.config != nil {
				more["GetDeploymentConfig"] = test.config
			}
			if got := shiftTime(t.Context(), codeDeployActions(t, more).CodeDeploy(), &test.info); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}
