package ecs

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The AppSpec of an ECS deployment, as "AppSpec 'resources' section for Amazon
// ECS deployments" in the CodeDeploy user guide has it.
type (
	specFile struct {
		Version   json.Number `json:"version"`
		Resources []specResource
	}
	specResource struct{ TargetService specTarget }
	specTarget   struct {
		Type       string
		Properties specProperties
	}
	specProperties struct {
		TaskDefinition           string
		LoadBalancerInfo         specBalancer
		PlatformVersion          string         `json:",omitempty"`
		NetworkConfiguration     *specNetwork   `json:",omitempty"`
		CapacityProviderStrategy []specProvider `json:",omitempty"`
	}
	specBalancer struct {
		ContainerName string
		ContainerPort int32
	}
	specNetwork struct{ AwsvpcConfiguration specVPC }
	specVPC     struct {
		Subnets        []string
		SecurityGroups []string             `json:",omitempty"`
		AssignPublicIp types.AssignPublicIp `json:",omitempty"`
	}
	specProvider struct {
		CapacityProvider string
		Base, Weight     int32
	}
)

// appSpec returns the AppSpec, as JSON, that deploys a task definition to a
// service and keeps its load balancer, network and capacity as they are now.
// They are those of the serving task set where there is one, else of the
// service.
func appSpec(s Service, definition string) ([]byte, error) {
	raw := s.Raw
	balancers, network := raw.LoadBalancers, raw.NetworkConfiguration
	version, capacity := raw.PlatformVersion, raw.CapacityProviderStrategy
	if set := PrimaryTaskSet(raw); set != nil {
		if len(set.LoadBalancers) > 0 {
			balancers = set.LoadBalancers
		}
		if set.NetworkConfiguration != nil {
			network = set.NetworkConfiguration
		}
		version, capacity = set.PlatformVersion, set.CapacityProviderStrategy
	}
	if len(balancers) == 0 || aws.ToString(balancers[0].ContainerName) == "" || aws.ToInt32(balancers[0].ContainerPort) == 0 {
		return nil, fmt.Errorf("ECS service %s has no load balancer with a container and a port, which CodeDeploy needs to shift traffic", s.Ref)
	}
	properties := specProperties{
		TaskDefinition:   definition,
		LoadBalancerInfo: specBalancer{aws.ToString(balancers[0].ContainerName), aws.ToInt32(balancers[0].ContainerPort)},
		PlatformVersion:  aws.ToString(version), NetworkConfiguration: specNetworkOf(network),
	}
	for _, c := range capacity {
		properties.CapacityProviderStrategy = append(properties.CapacityProviderStrategy, specProvider{aws.ToString(c.CapacityProvider), c.Base, c.Weight})
	}
	return json.Marshal(specFile{Version: "0.0", Resources: []specResource{{specTarget{Type: "AWS::ECS::Service", Properties: properties}}}})
}

func specNetworkOf(n *types.NetworkConfiguration) *specNetwork {
	if n == nil || n.AwsvpcConfiguration == nil {
		return nil
	}
	v := n.AwsvpcConfiguration
	return &specNetwork{specVPC{Subnets: v.Subnets, SecurityGroups: v.SecurityGroups, AssignPublicIp: v.AssignPublicIp}}
}
