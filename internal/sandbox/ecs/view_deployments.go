package ecs

import "slipway/internal/sandbox/awsapi"

// describeDeployment returns an entry of a service's deployments.
func (e *region) describeDeployment(d *deployment) object {
	s, t := d.service, d.service.counts(d)
	out := object{
		"id": d.id, "status": d.status, "taskDefinition": d.revision.definition.arn,
		"desiredCount": 0, "runningCount": t.running, "pendingCount": t.pending, "failedTasks": d.failed,
		"createdAt": awsapi.Stamp(d.created), "updatedAt": awsapi.Stamp(d.updated),
		"rolloutState": d.rollout, "rolloutStateReason": d.reason,
	}
	if d.status == "PRIMARY" {
		out["desiredCount"] = s.desired
	} else if !d.halted {
		out["desiredCount"] = t.alive
	}
	e.workload(d, out)
	return out
}

// workload adds the settings with which the tasks of a revision run.
func (e *region) workload(d *deployment, out object) {
	for _, name := range []string{"networkConfiguration", "capacityProviderStrategy"} {
		if v, ok := d.revision.settings[name]; ok {
			out[name] = v
		}
	}
	if len(d.service.parsed.Capacity) == 0 {
		out["launchType"] = d.service.launchType()
	}
	if d.service.fargate() {
		out["platformFamily"], out["platformVersion"] = "Linux", d.service.platformVersion()
	}
}

// revisionSummary counts the tasks of a revision. The role, if any, is the one
// that it has for the traffic of a service deployment.
func (e *region) revisionSummary(d *deployment, role string) object {
	t := d.service.counts(d)
	out := object{
		"arn": d.revision.arn, "requestedTaskCount": t.alive, "runningTaskCount": t.running, "pendingTaskCount": t.pending,
	}
	if d.status == "PRIMARY" {
		out["requestedTaskCount"] = d.service.desired
	}
	sd := d.service.current()
	switch {
	case sd == nil || sd.stage == "":
	case role == "target":
		out["requestedProductionTrafficWeight"], out["requestedTestTrafficWeight"] = sd.shifted, sd.testShift
	case role == "source":
		out["requestedProductionTrafficWeight"], out["requestedTestTrafficWeight"] = 100-sd.shifted, 0
	}
	return out
}

func (e *region) describeServiceDeployment(sd *serviceDeployment) object {
	s := sd.service
	sources := []object{}
	for _, r := range sd.sources {
		sources = append(sources, e.sourceSummary(s, r))
	}
	out := object{
		"serviceDeploymentArn": sd.arn, "serviceArn": s.arn, "clusterArn": s.cluster.arn, "status": sd.status,
		"createdAt": awsapi.Stamp(sd.created), "updatedAt": awsapi.Stamp(sd.updated),
		"targetServiceRevision": e.revisionSummary(sd.target, "target"), "sourceServiceRevisions": sources,
		"deploymentConfiguration":  filled(sd.settings, sd.raw, true),
		"deploymentCircuitBreaker": sd.breaker(), "alarms": sd.alarms(),
	}
	sd.times(out)
	if sd.stage != "" {
		out["lifecycleStage"] = sd.stage
	}
	if len(sd.hooks) > 0 {
		out["lifecycleHookDetails"] = sd.hookDetails()
	}
	if r := sd.rollback; r != nil {
		out["rollback"] = object{"reason": r.reason, "startedAt": awsapi.Stamp(r.started), "serviceRevisionArn": r.revision}
	}
	return out
}

// times adds the times of a service deployment that have passed.
func (sd *serviceDeployment) times(out object) {
	if sd.reason != "" {
		out["statusReason"] = sd.reason
	}
	if !sd.started.IsZero() {
		out["startedAt"] = awsapi.Stamp(sd.started)
	}
	if !sd.finished.IsZero() {
		out["finishedAt"] = awsapi.Stamp(sd.finished)
	}
	if !sd.stopped.IsZero() {
		out["stoppedAt"] = awsapi.Stamp(sd.stopped)
	}
}

func (e *region) sourceSummary(s *service, r *serviceRevision) object {
	for _, d := range s.deployments {
		if d.revision == r {
			return e.revisionSummary(d, "source")
		}
	}
	return object{"arn": r.arn, "requestedTaskCount": 0, "runningTaskCount": 0, "pendingTaskCount": 0}
}

func (sd *serviceDeployment) breaker() object {
	status := "DISABLED"
	switch {
	case sd.tripped:
		status = "TRIGGERED"
	case !sd.settings.Breaker.Enable:
	case sd.underWay():
		status = "MONITORING"
	default:
		status = "MONITORING_COMPLETE"
	}
	return object{"status": status, "failureCount": sd.target.failed, "threshold": sd.settings.Threshold(sd.service.desired)}
}

func (e *region) describeRevision(s *service, r *serviceRevision) object {
	images := []object{}
	for _, c := range r.definition.Containers {
		image := object{"containerName": c.Name, "image": c.Image}
		if digest := r.pinned[c.Name]; digest != "" {
			image["imageDigest"] = digest
		}
		images = append(images, image)
	}
	out := object{
		"serviceRevisionArn": r.arn, "serviceArn": s.arn, "clusterArn": s.cluster.arn,
		"taskDefinition": r.definition.arn, "createdAt": awsapi.Stamp(r.created), "containerImages": images,
		"guardDutyEnabled": false, "loadBalancers": []any{}, "serviceRegistries": []any{},
	}
	for _, name := range []string{
		"networkConfiguration", "capacityProviderStrategy", "loadBalancers", "serviceRegistries",
		"serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations",
	} {
		if v, ok := r.settings[name]; ok {
			out[name] = v
		}
	}
	if len(s.parsed.Capacity) == 0 {
		out["launchType"] = s.launchType()
	}
	if s.fargate() {
		out["platformFamily"], out["platformVersion"] = "Linux", s.platformVersion()
	}
	return out
}
