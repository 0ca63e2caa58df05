package ecs

import (
	"encoding/json"
	"fmt"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/deployconfig"
	"slipway/internal/sandbox/ecs/eventlog"
)

// describeService returns a service as DescribeServices shows it.
func (e *region) describeService(s *service, tags bool) object {
	all, _ := s.totals(nil)
	out := object{
		"serviceArn": s.arn, "serviceName": s.name, "clusterArn": s.cluster.arn, "status": s.status,
		"desiredCount": s.desired, "runningCount": all.running, "pendingCount": all.pending,
		"createdAt": awsapi.Stamp(s.created), "createdBy": fmt.Sprintf("arn:%s:iam::%s:user/sandbox", awsapi.Partition(e.Region), e.Account),
		"schedulingStrategy": s.strategy(), "deploymentController": object{"type": s.controller()},
		"loadBalancers": []any{}, "serviceRegistries": []any{}, "placementConstraints": []any{}, "placementStrategy": []any{},
		"enableECSManagedTags": false, "enableExecuteCommand": false, "propagateTags": "NONE",
		"events": append(eventlog.Log{}, s.events...), "deployments": []object{},
	}
	for name, v := range s.settings {
		out[name] = v
	}
	if len(s.parsed.Capacity) == 0 {
		out["launchType"] = s.launchType()
	}
	if s.fargate() {
		out["platformFamily"], out["platformVersion"] = "Linux", s.platformVersion()
	}
	if s.definition != nil {
		out["taskDefinition"] = s.definition.arn
	}
	if tags {
		out["tags"] = s.tags.All()
	}
	out["deploymentConfiguration"] = s.deploymentConfiguration()
	e.describeProgress(s, out)
	return out
}

// describeProgress adds the fields that differ by deployment controller.
func (e *region) describeProgress(s *service, out object) {
	if s.controller() != "ECS" {
		sets := []object{}
		for _, set := range s.sets {
			sets = append(sets, e.describeTaskSet(set))
		}
		out["taskSets"] = sets
		return
	}
	var deployments, revisions []object
	for _, d := range s.deployments {
		deployments = append(deployments, e.describeDeployment(d))
		revisions = append(revisions, e.revisionSummary(d, ""))
	}
	if deployments != nil {
		out["deployments"], out["currentServiceRevisions"] = deployments, revisions
	}
	if sd := s.current(); sd != nil {
		out["currentServiceDeployment"] = sd.arn
	}
}

func (s *service) platformVersion() string {
	if v := s.parsed.PlatformVersion; v != "" && v != "LATEST" {
		return v
	}
	return "1.4.0" // LATEST, for Linux
}

// deploymentConfiguration returns the request's configuration with the defaults
// filled in.
func (s *service) deploymentConfiguration() object {
	settings, err := deployconfig.Parse(s.settings["deploymentConfiguration"], s.daemon())
	if err != nil {
		return object{}
	}
	return filled(settings, s.settings["deploymentConfiguration"], s.controller() == "ECS")
}

// filled adds the defaults to a deploymentConfiguration.
func filled(d deployconfig.Settings, raw json.RawMessage, deploys bool) object {
	out := object{"maximumPercent": *d.MaximumPercent, "minimumHealthyPercent": *d.MinimumHealthyPercent}
	if deploys {
		out["strategy"] = "ROLLING"
		out["deploymentCircuitBreaker"] = object{"enable": false, "rollback": false}
		out["bakeTimeInMinutes"] = 0
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(raw, &given) == nil {
		for name, v := range given {
			out[name] = v
		}
	}
	return out
}
