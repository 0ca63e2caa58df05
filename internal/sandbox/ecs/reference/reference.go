// Package reference finds out which resource of ECS a request is about.
package reference

import (
	"encoding/json"
	"slices"
	"strings"
)

// Of returns the names of the services that a request is about, else
// of the task definition or the cluster.
func Of(body []byte) string {
	var in struct {
		Service               string
		Services              []string
		ServiceName           string
		ServiceDeploymentArn  string
		ServiceDeploymentArns []string
		ServiceRevisionArns   []string
		ResourceArn           string
		TaskDefinition        string
		Family                string
		Clusters              []string
		ClusterName           string
		Cluster               string
	}
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	of := func(arn string) string {
		parts := strings.Split(arn, "/")
		return parts[max(0, len(parts)-2)] // …/CLUSTER/SERVICE/ID
	}
	var names []string
	for _, arn := range slices.Concat([]string{in.ServiceDeploymentArn}, in.ServiceDeploymentArns, in.ServiceRevisionArns) {
		names = append(names, of(arn))
	}
	for _, name := range slices.Concat([]string{in.Service, in.ServiceName, in.ResourceArn}, in.Services) {
		names = append(names, last(name))
	}
	for _, more := range [][]string{{in.TaskDefinition}, {in.Family}, in.Clusters, {in.ClusterName}, {in.Cluster}} {
		if strings.Join(names, "") == "" {
			for _, name := range more {
				names = append(names, last(name))
			}
		}
	}
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

func last(nameOrARN string) string { return nameOrARN[strings.LastIndexByte(nameOrARN, '/')+1:] }
