package codedeploy

import (
	"errors"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// appSpec is the resource of an AppSpec file for ECS, as the section "AppSpec
// 'resources' section for Amazon ECS deployments" of CodeDeploy's user guide
// describes it. Hooks are Lambda functions, which the sandbox does not have: it
// ignores them.
type appSpec struct {
	TaskDefinition           string                 `yaml:"TaskDefinition"`
	LoadBalancerInfo         *appSpecLoadBalancer   `yaml:"LoadBalancerInfo"`
	PlatformVersion          string                 `yaml:"PlatformVersion"`
	NetworkConfiguration     *appSpecNetwork        `yaml:"NetworkConfiguration"`
	CapacityProviderStrategy []appSpecCapacityShare `yaml:"CapacityProviderStrategy"`
}

type appSpecLoadBalancer struct {
	ContainerName string `yaml:"ContainerName"`
	ContainerPort int    `yaml:"ContainerPort"`
}

type appSpecNetwork struct {
	AwsvpcConfiguration struct {
		Subnets        []string `yaml:"Subnets" json:"subnets"`
		SecurityGroups []string `yaml:"SecurityGroups" json:"securityGroups,omitempty"`
		AssignPublicIP string   `yaml:"AssignPublicIp" json:"assignPublicIp,omitempty"`
	} `yaml:"AwsvpcConfiguration" json:"awsvpcConfiguration"`
}

type appSpecCapacityShare struct {
	CapacityProvider string `yaml:"CapacityProvider" json:"capacityProvider"`
	Base             int    `yaml:"Base" json:"base"`
	Weight           int    `yaml:"Weight" json:"weight"`
}

// appSpecFile is the whole file. The guide writes the names of the sections
// with a capital letter in some places and without in others.
type appSpecFile struct {
	Version   string            `yaml:"version"`
	Resources []appSpecResource `yaml:"Resources"`
	Lower     []appSpecResource `yaml:"resources"`
}

type appSpecResource map[string]struct {
	Type       string  `yaml:"Type"`
	Properties appSpec `yaml:"Properties"`
}

var taskDefinitionARNPattern = regexp.MustCompile(`^arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:task-definition/[a-zA-Z0-9_-]{1,255}:[0-9]+$`)

// parseAppSpec parses YAML, of which JSON is a subset.
func parseAppSpec(content string) (appSpec, error) {
	var file appSpecFile
	if err := yaml.Unmarshal([]byte(content), &file); err != nil {
		return appSpec{}, fmt.Errorf("the AppSpec is neither JSON nor YAML of the right form: %w", err)
	}
	resources := append(file.Resources, file.Lower...)
	switch {
	case file.Version != "0.0":
		return appSpec{}, fmt.Errorf("the version of the AppSpec is %q: the only one is 0.0", file.Version)
	case len(resources) != 1 || len(resources[0]) != 1:
		return appSpec{}, errors.New("the AppSpec must have one resource, TargetService")
	}
	target, ok := resources[0]["TargetService"]
	if !ok || target.Type != "AWS::ECS::Service" {
		return appSpec{}, errors.New("the AppSpec's resource must be TargetService of the type AWS::ECS::Service")
	}
	return target.Properties, target.Properties.check()
}

func (a appSpec) check() error {
	switch lb := a.LoadBalancerInfo; {
	case !taskDefinitionARNPattern.MatchString(a.TaskDefinition):
		return fmt.Errorf("the AppSpec's TaskDefinition must be the ARN of a revision, not %q", a.TaskDefinition)
	case lb == nil || lb.ContainerName == "" || lb.ContainerPort < 1 || lb.ContainerPort > 65535:
		return errors.New("the AppSpec must have LoadBalancerInfo with ContainerName and ContainerPort")
	case a.NetworkConfiguration != nil && len(a.NetworkConfiguration.AwsvpcConfiguration.Subnets) == 0:
		return errors.New("the AppSpec's NetworkConfiguration must have AwsvpcConfiguration with Subnets")
	}
	return nil
}

// settings are the fields of the task set that a deployment makes, besides the
// load balancers.
func (a appSpec) settings() map[string]any {
	out := map[string]any{}
	if a.PlatformVersion != "" {
		out["platformVersion"] = a.PlatformVersion
	}
	if a.NetworkConfiguration != nil {
		out["networkConfiguration"] = a.NetworkConfiguration
	}
	if len(a.CapacityProviderStrategy) > 0 {
		out["capacityProviderStrategy"] = a.CapacityProviderStrategy
	}
	return out
}
