package ecs

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Launch is where and how tasks run.
type Launch struct {
	// Cluster is the cluster's name or ARN; empty for the default one.
	Cluster string
	// Type is the launch type. It is empty if Providers has a strategy.
	Type      types.LaunchType
	Providers []types.CapacityProviderStrategyItem
	// Platform is the platform version on Fargate; empty for the latest one.
	Platform string
	Network  *types.NetworkConfiguration
}

// Launch returns where and how the tasks of a service run. With CODE_DEPLOY and EXTERNAL,
// the task set that serves has the settings; a service that does not exist has those with
// which it will be created.
func (s Service) Launch() (Launch, error) {
	if s.New != nil {
		in, err := s.New.Request("")
		if err != nil {
			return Launch{}, err
		}
		return Launch{
			Cluster: aws.ToString(in.Cluster), Type: in.LaunchType, Providers: in.CapacityProviderStrategy,
			Platform: aws.ToString(in.PlatformVersion), Network: in.NetworkConfiguration,
		}, nil
	}
	l := Launch{
		Cluster: aws.ToString(s.ClusterID()), Type: s.Raw.LaunchType, Providers: s.Raw.CapacityProviderStrategy,
		Platform: aws.ToString(s.Raw.PlatformVersion), Network: s.Raw.NetworkConfiguration,
	}
	if set := PrimaryTaskSet(s.Raw); set != nil {
		l.Type, l.Providers, l.Platform = set.LaunchType, set.CapacityProviderStrategy, aws.ToString(set.PlatformVersion)
		if set.NetworkConfiguration != nil {
			l.Network = set.NetworkConfiguration
		}
	}
	if len(l.Providers) > 0 {
		l.Type = ""
	}
	return l, nil
}
