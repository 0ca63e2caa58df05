package fakeaws

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
)

// ARNPrefix is the beginning of the ARNs in ECS.
const ARNPrefix = "arn:aws:ecs:eu-west-1:111111111111:"

// ClusterARN returns the ARN of a cluster.
func ClusterARN(cluster string) string { return ARNPrefix + "cluster/" + cluster }

// ServiceARN returns the ARN of a service.
func ServiceARN(cluster, service string) string {
	return ARNPrefix + "service/" + cluster + "/" + service
}

// RevisionARN returns the ARN of service revision n of service shop/web.
func RevisionARN(n int) string { return fmt.Sprintf("%sservice-revision/shop/web/%d", ARNPrefix, n) }

// DeploymentARN returns the ARN of service deployment n of service shop/web.
func DeploymentARN(n int) string {
	return fmt.Sprintf("%sservice-deployment/shop/web/%d", ARNPrefix, n)
}

// DescribedService returns a service as DescribeServices answers it.
func DescribedService(cluster, service string, more Object) Object {
	s := Object{
		"serviceArn": ServiceARN(cluster, service), "serviceName": service, "clusterArn": ClusterARN(cluster),
		"status": "ACTIVE", "desiredCount": 2, "runningCount": 2, "pendingCount": 0,
		"taskDefinition": ARNPrefix + "task-definition/" + service + ":1",
	}
	for k, v := range more {
		s[k] = v
	}
	return s
}

// AnswerServices answers DescribeServices from a list, whatever way services
// are named.
func AnswerServices(services ...Object) func(Object) any {
	return func(in Object) any {
		cluster, _ := in["cluster"].(string)
		if cluster == "" {
			cluster = "default"
		}
		found, known, there := []Object{}, false, map[string]bool{}
		for _, s := range services {
			if s["clusterArn"] != cluster && awsname.LastPart(s["clusterArn"].(string)) != cluster {
				continue
			}
			known = true
			for _, name := range Strings(in, "services") {
				if name == s["serviceName"] || name == s["serviceArn"] {
					found = append(found, s)
					there[name] = true
				}
			}
		}
		if !known {
			return Refusal{Code: "ClusterNotFoundException"}
		}
		missing := []Object{}
		for _, name := range Strings(in, "services") {
			if !there[name] {
				missing = append(missing, Object{"arn": "arn:aws:ecs:eu-west-1:1:service/" + cluster + "/" + awsname.LastPart(name), "reason": "MISSING"})
			}
		}
		return Object{"services": found, "failures": missing}
	}
}

// ListedDeployment returns a deployment n as ListServiceDeployments answers it,
// n minutes past the epoch.
func ListedDeployment(n int, status types.ServiceDeploymentStatus) Object {
	return Object{
		"serviceDeploymentArn": DeploymentARN(n), "targetServiceRevisionArn": RevisionARN(n), "status": status,
		"createdAt": 60 * n, "statusReason": fmt.Sprintf("reason %d", n),
	}
}
