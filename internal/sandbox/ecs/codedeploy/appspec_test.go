package codedeploy

import (
	"strings"
	"testing"
)

const validAppSpec = `
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "arn:aws:ecs:us-east-1:111222333444:task-definition/web:5"
        LoadBalancerInfo:
          ContainerName: "web"
          ContainerPort: 80
        PlatformVersion: "LATEST"
        NetworkConfiguration:
          AwsvpcConfiguration:
            Subnets: ["subnet-1234abcd"]
            AssignPublicIp: "ENABLED"
        CapacityProviderStrategy:
          - Base: 1
            CapacityProvider: "FARGATE_SPOT"
            Weight: 2
Hooks:
  - BeforeInstall: "LambdaFunctionToValidateBeforeInstall"
`

func TestParseAppSpec(t *testing.T) {
	got, err := parseAppSpec(validAppSpec)
	if err != nil {
		t.Fatal(err)
	}
	if got.TaskDefinition != "arn:aws:ecs:us-east-1:111222333444:task-definition/web:5" || *got.LoadBalancerInfo != (appSpecLoadBalancer{"web", 80}) ||
		got.NetworkConfiguration.AwsvpcConfiguration.Subnets[0] != "subnet-1234abcd" || got.CapacityProviderStrategy[0] != (appSpecCapacityShare{"FARGATE_SPOT", 1, 2}) {
		t.Errorf("read %+v", got)
	}
	for name, test := range map[string]struct{ old, with, says string }{
		"version":         {"version: 0.0", "version: 1.0", "the only one is 0.0"},
		"not YAML":        {"version: 0.0", "version: [", "neither JSON nor YAML"},
		"no resources":    {"Resources:", "Others:", "must have one resource"},
		"other resource":  {"- TargetService:", "- Function:", "TargetService"},
		"other type":      {"AWS::ECS::Service", "AWS::Lambda::Function", "AWS::ECS::Service"},
		"family only":     {"task-definition/web:5", "task-definition/web", "ARN of a revision"},
		"placeholder":     {`"arn:aws:ecs:us-east-1:111222333444:task-definition/web:5"`, "<TASK_DEFINITION>", "ARN of a revision"},
		"no container":    {`ContainerName: "web"`, "", "LoadBalancerInfo"},
		"no port":         {"ContainerPort: 80", "ContainerPort: 0", "LoadBalancerInfo"},
		"port not number": {"ContainerPort: 80", "ContainerPort: http", "neither JSON nor YAML"},
		"no subnets":      {`Subnets: ["subnet-1234abcd"]`, "", "Subnets"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(validAppSpec, test.old, test.with, 1)
			if text == validAppSpec {
				t.Fatal("nothing was changed")
			}
			if _, err := parseAppSpec(text); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// The sections' names are written both ways in CodeDeploy's guide.
func TestParseAppSpecInLowerCase(t *testing.T) {
	if _, err := parseAppSpec(strings.Replace(validAppSpec, "Resources:", "resources:", 1)); err != nil {
		t.Error(err)
	}
}

func FuzzParseAppSpec(f *testing.F) {
	f.Add(validAppSpec)
	f.Add(`{"version":0.0,"Resources":[{"TargetService":{"Type":"AWS::ECS::Service","Properties":{"TaskDefinition":"arn:aws:ecs:a:111222333444:task-definition/w:1","LoadBalancerInfo":{"ContainerName":"w","ContainerPort":1}}}}]}`)
	f.Add("version: 0.0\nresources: [{TargetService: null}]")
	f.Fuzz(func(t *testing.T, content string) {
		got, err := parseAppSpec(content)
		if err == nil && (!strings.HasPrefix(got.TaskDefinition, "arn:") || got.LoadBalancerInfo.ContainerName == "") {
			t.Errorf("took %+v", got)
		}
	})
}
