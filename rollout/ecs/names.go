package ecs

import (
	"cmp"
	"math"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
)

// cluster returns the name of the service's cluster. The ARN of a service names
// its cluster, which ECS needs in the request as well; the short form of old
// accounts does not (arn:…:service/NAME, "ARNs and IDs" in the ECS developer
// guide).
func (r Ref) cluster() string {
	if r.Cluster != "" {
		return r.Cluster
	}
	if parts := strings.Split(r.Service, "/"); len(parts) == 3 {
		return parts[1]
	}
	return ""
}

// Names reports whether the reference names a service that ECS described.
func (r Ref) Names(s types.Service) bool {
	return r.Service == aws.ToString(s.ServiceName) || r.Service == aws.ToString(s.ServiceArn) ||
		strings.HasPrefix(r.Service, "arn:") && awsname.LastPart(r.Service) == aws.ToString(s.ServiceName)
}

// ClusterID returns the cluster's ARN, or its name where that is not known; nil
// for the default cluster.
func (s Service) ClusterID() *string {
	return optional(cmp.Or(aws.ToString(s.Raw.ClusterArn), s.cluster()))
}

// ServiceID returns the service's ARN, or its name where that is not known.
func (s Service) ServiceID() *string { return optional(cmp.Or(s.ARN, s.Service)) }

// ShortNames returns the names of the cluster and the service, without the rest
// of their ARNs.
func (s Service) ShortNames() (cluster, service string) {
	cluster = cmp.Or(aws.ToString(s.Raw.ClusterArn), s.cluster(), "default")
	service = cmp.Or(aws.ToString(s.Raw.ServiceName), s.Service)
	return awsname.LastPart(cluster), awsname.LastPart(service)
}

// optional returns a pointer to a string, nil for an empty one.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// definitionOf returns the task definition that a service is to run. With
// CODE_DEPLOY and EXTERNAL it is that of the task set that serves.
func definitionOf(raw types.Service) string {
	if set := PrimaryTaskSet(raw); set != nil && set.TaskDefinition != nil {
		return *set.TaskDefinition
	}
	return aws.ToString(raw.TaskDefinition)
}

// PrimaryTaskSet returns the task set that receives production traffic, or nil.
func PrimaryTaskSet(raw types.Service) *types.TaskSet {
	for i := range raw.TaskSets {
		if aws.ToString(raw.TaskSets[i].Status) == "PRIMARY" {
			return &raw.TaskSets[i]
		}
	}
	return nil
}

// strategyWait returns the time that a strategy lets pass by itself, with the
// API reference's defaults: LINEAR takes steps of 10 percent with 6 minutes
// after each but the last, CANARY waits 10 minutes, and both, like BLUE_GREEN,
// bake at the end.
func strategyWait(c types.DeploymentConfiguration) time.Duration {
	minutes := aws.ToInt32(c.BakeTimeInMinutes)
	switch c.Strategy {
	case types.DeploymentStrategyBlueGreen:
	case types.DeploymentStrategyLinear:
		percent, bake := 10.0, int32(6)
		if l := c.LinearConfiguration; l != nil {
			percent, bake = deref(l.StepPercent, percent), deref(l.StepBakeTimeInMinutes, bake)
		}
		if percent > 0 {
			minutes += bake * int32(math.Ceil(100/percent)-1)
		}
	case types.DeploymentStrategyCanary:
		bake := int32(10)
		if l := c.CanaryConfiguration; l != nil {
			bake = deref(l.CanaryBakeTimeInMinutes, bake)
		}
		minutes += bake
	default:
		return 0
	}
	return time.Duration(minutes) * time.Minute
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
