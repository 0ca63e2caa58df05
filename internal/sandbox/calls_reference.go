package sandbox

import (
	"cmp"
	"encoding/json"
	"strings"
)

// referenceIn peeks at a request for the record of calls.
func referenceIn(service string, body []byte) string {
	var in struct {
		DeploymentID, DeploymentGroupName, ApplicationName string
		LogStreamName, LogGroupName, LogGroupIdentifier    string
		ResourceID                                         string
		ResourceIDs                                        []string
		PipelineName                                       string
	}
	switch service {
	case "ecs":
		return ecsNameIn(service, body)
	case "codedeploy", "logs", "application-autoscaling", "codepipeline":
		_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	}
	return cmp.Or(in.DeploymentID, in.DeploymentGroupName, in.ApplicationName,
		in.LogStreamName, in.LogGroupName, in.LogGroupIdentifier, in.ResourceID, strings.Join(in.ResourceIDs, ","), in.PipelineName)
}
