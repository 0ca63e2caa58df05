package ecs

import (
	"cmp"

	"slipway/internal/sandbox/awsapi"
)

func (e *region) describeTask(t *task, tags bool) object {
	s := t.service
	out := object{
		"taskArn": t.arn, "clusterArn": s.cluster.arn, "taskDefinitionArn": t.definition.arn,
		"group": t.group, "startedBy": t.owner.id, "desiredStatus": t.desired, "lastStatus": t.last,
		"healthStatus": t.healthStatus(), "launchType": s.launchType(), "version": t.version, "availabilityZone": t.zone,
		"overrides":            object{"containerOverrides": []any{}, "inferenceAcceleratorOverrides": []any{}},
		"enableExecuteCommand": false, "attributes": []object{{"name": "ecs.cpu-architecture", "value": t.definition.CPUArchitecture()}},
		"attachments": []any{}, "tags": []any{}, "createdAt": awsapi.Stamp(t.created),
		"cpu": cmp.Or(t.definition.CPU, "0"), "memory": cmp.Or(t.definition.Memory, "0"),
	}
	if tags {
		out["tags"] = t.tags.All()
	}
	if s.fargate() {
		out["platformFamily"], out["platformVersion"] = "Linux", s.platformVersion()
	} else if t.last != "PROVISIONING" {
		out["containerInstanceArn"] = e.arn("container-instance", s.cluster.name, "0123456789abcdef0123456789abcdef")
	}
	if len(s.parsed.Capacity) > 0 {
		out["capacityProviderName"] = s.parsed.Capacity[0].Provider
	}
	if t.definition.NetworkMode == "awsvpc" {
		out["attachments"] = []object{t.networkInterface()}
	}
	e.describeTaskTimes(t, out)
	containers := []object{}
	for _, c := range t.containers {
		containers = append(containers, e.describeContainer(t, c))
	}
	out["containers"] = containers
	return out
}

func (e *region) describeTaskTimes(t *task, out object) {
	for name, at := range map[string]*awsapi.Epoch{
		"pullStartedAt": awsapi.Stamp(t.pullStarted), "pullStoppedAt": awsapi.Stamp(t.pullStopped), "startedAt": awsapi.Stamp(t.started),
		"stoppingAt": awsapi.Stamp(t.stopping), "executionStoppedAt": awsapi.Stamp(t.executionStopped), "stoppedAt": awsapi.Stamp(t.stopped),
	} {
		if at != nil {
			out[name] = at
		}
	}
	if !t.pullStarted.IsZero() {
		out["connectivity"], out["connectivityAt"] = "CONNECTED", awsapi.Stamp(t.pullStarted)
	}
	if t.stopReason != "" {
		out["stopCode"], out["stoppedReason"] = t.stopCode, t.stopReason
	}
}

func (t *task) networkInterface() object {
	status := "ATTACHED"
	if t.last == "PROVISIONING" {
		status = "PRECREATED"
	} else if t.last == "STOPPED" {
		status = "DELETED"
	}
	return object{"id": t.attachment, "type": "ElasticNetworkInterface", "status": status, "details": []any{}}
}

// healthStatus returns HEALTHY when all essential containers with a health
// check are, UNKNOWN without such containers.
func (t *task) healthStatus() string {
	status := "UNKNOWN"
	for _, c := range t.containers {
		if c.definition.HealthCheck == nil || !c.definition.IsEssential() {
			continue
		}
		if c.health != "HEALTHY" {
			return c.health
		}
		status = "HEALTHY"
	}
	return status
}

func (e *region) describeContainer(t *task, c *container) object {
	out := object{
		"containerArn": e.arn("container", t.service.cluster.name, t.id, c.id), "taskArn": t.arn,
		"name": c.definition.Name, "image": c.definition.Image, "lastStatus": c.last, "healthStatus": c.health,
		"networkBindings": []any{}, "networkInterfaces": []any{}, "cpu": "0",
	}
	if c.digest != "" {
		out["imageDigest"] = c.digest
	}
	if !t.started.IsZero() {
		out["runtimeId"] = t.id + "-" + c.id[:8]
	}
	if c.exitCode != nil {
		out["exitCode"] = *c.exitCode
	}
	if c.reason != "" {
		out["reason"] = c.reason
	}
	return out
}
