package ecs

import (
	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway/rollout/diagnose"
)

// Evidence returns what a diagnosis needs to know of the service: its names, its
// containers, those that receive requests from a load balancer, and its capacity
// providers.
func (s Service) Evidence() diagnose.Evidence {
	e := diagnose.Evidence{Cluster: s.cluster(), Service: s.Service, TaskDefinition: s.Definition.ARN}
	for _, c := range s.Definition.containers() {
		e.Containers = append(e.Containers, containerEvidence(c))
	}
	for _, lb := range s.Raw.LoadBalancers {
		e.LoadBalanced = append(e.LoadBalanced, aws.ToString(lb.ContainerName))
	}
	for _, item := range s.Raw.CapacityProviderStrategy {
		e.Providers = append(e.Providers, aws.ToString(item.CapacityProvider))
	}
	return e
}

// containerEvidence reads a container of a task definition's JSON. A container
// is essential unless it says otherwise (API reference, ContainerDefinition).
func containerEvidence(c map[string]any) diagnose.Container {
	essential, given := c["essential"].(bool)
	config, _ := c["logConfiguration"].(map[string]any)
	options, _ := config["options"].(map[string]any)
	out := diagnose.Container{
		Name: stringField(c, "name"), Image: stringField(c, "image"), Essential: essential || !given,
		LogDriver: stringField(config, "logDriver"), LogOptions: map[string]string{},
	}
	for name := range options {
		out.LogOptions[name] = stringField(options, name)
	}
	return out
}
