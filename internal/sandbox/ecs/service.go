package ecs

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/deployconfig"
	"slipway/internal/sandbox/ecs/eventlog"
	"slipway/internal/sandbox/ecs/taglist"
	"slipway/internal/sandbox/ecs/taskdef"
	"slipway/internal/sandbox/ecs/timeline"
)

// service is a service with its deployments and tasks.
type service struct {
	name, arn  string
	cluster    *cluster
	status     string // ACTIVE, DRAINING, INACTIVE
	created    time.Time
	definition *taskDefinition
	desired    int
	settings   map[string]json.RawMessage // of the requests, answered as they came
	parsed     serviceSettings
	tags       taglist.List

	deployments []*deployment        // the primary first, then newest first
	history     []*serviceDeployment // oldest first
	sets        []*deployment        // task sets, newest first
	tasks       []*task              // oldest first
	events      eventlog.Log         // newest first
	steady      bool
	moving      *task         // started for a better balance of the zones
	cleansAt    timeline.Time // when tasks go that an early success left
	clientToken string
}

// serviceSettings are the settings of a service that the sandbox acts on.
type serviceSettings struct {
	LaunchType         string `json:"launchType"`
	SchedulingStrategy string `json:"schedulingStrategy"`
	PropagateTags      string `json:"propagateTags"`
	Grace              int    `json:"healthCheckGracePeriodSeconds"`
	PlatformVersion    string `json:"platformVersion"`
	Rebalancing        string `json:"availabilityZoneRebalancing"`
	Controller         struct {
		Type string `json:"type"`
	} `json:"deploymentController"`
	LoadBalancers []struct {
		TargetGroupArn string `json:"targetGroupArn"`
		ContainerName  string `json:"containerName"`
		ContainerPort  int    `json:"containerPort"`
	} `json:"loadBalancers"`
	Capacity []struct {
		Provider string `json:"capacityProvider"`
	} `json:"capacityProviderStrategy"`
}

func (s *service) daemon() bool { return s.parsed.SchedulingStrategy == "DAEMON" }

func (s *service) controller() string { return cmp.Or(s.parsed.Controller.Type, "ECS") }

func (s *service) fargate() bool {
	if len(s.parsed.Capacity) > 0 {
		return strings.HasPrefix(s.parsed.Capacity[0].Provider, "FARGATE")
	}
	return s.parsed.LaunchType == "FARGATE"
}

// scalesOut reports whether tasks without room wait in PROVISIONING for the managed
// scaling of an Auto Scaling group's capacity provider ("Amazon ECS cluster auto
// scaling", guide).
func (s *service) scalesOut() bool { return len(s.parsed.Capacity) > 0 && !s.fargate() }

func (s *service) balanced() bool { return len(s.parsed.LoadBalancers) > 0 }

// serviceFields are the settings of CreateService and UpdateService that
// answers show as they came. The value reports whether a change begins a
// deployment, by the reference of UpdateService.
var serviceFields = map[string]bool{
	"availabilityZoneRebalancing": false, "deploymentConfiguration": false, "enableECSManagedTags": false,
	"enableExecuteCommand": false, "healthCheckGracePeriodSeconds": false, "placementConstraints": false,
	"placementStrategy": false, "propagateTags": false, "capacityProviderStrategy": true, "loadBalancers": true,
	"networkConfiguration": true, "platformVersion": true, "serviceConnectConfiguration": true, "serviceRegistries": true,
	"volumeConfigurations": true, "vpcLatticeConfigurations": true,
}

// createFields can only be set when a service is created, the last one by
// Express Mode.
var createFields = []string{"launchType", "schedulingStrategy", "deploymentController", "resourceManagementType"}

// service returns a service that is not INACTIVE, by name or ARN.
func (e *region) service(cluster, nameOrARN string) (*service, error) {
	c, err := e.cluster(cluster)
	if err != nil {
		return nil, err
	}
	s := c.service(nameOrARN)
	switch {
	case s == nil:
		return nil, awsapi.NewError("ServiceNotFoundException", "Service not found.")
	case s.status == "INACTIVE":
		return nil, awsapi.NewError("ServiceNotActiveException", "Service was not ACTIVE.")
	}
	return s, nil
}

// service returns the newest service of a name.
func (c *cluster) service(nameOrARN string) *service {
	for _, s := range slices.Backward(c.services) {
		if s.name == lastPart(nameOrARN) && (!strings.HasPrefix(nameOrARN, "arn:") || s.arn == nameOrARN) {
			return s
		}
	}
	return nil
}

type serviceOut struct {
	Service object `json:"service"`
}

type createServiceIn struct {
	Cluster        string       `json:"cluster"`
	ServiceName    string       `json:"serviceName"`
	TaskDefinition string       `json:"taskDefinition"`
	DesiredCount   *int         `json:"desiredCount"`
	ClientToken    string       `json:"clientToken"`
	Tags           taglist.List `json:"tags"`
}

func createService(e *region, fields map[string]json.RawMessage) (out serviceOut, err error) {
	var in createServiceIn
	if err := awsapi.DecodeFields(fields, &in); err != nil {
		return out, err
	}
	c, err := e.cluster(in.Cluster)
	if err != nil {
		return out, err
	}
	if old := c.service(in.ServiceName); old != nil && in.ClientToken != "" && old.clientToken == in.ClientToken && old.status == "ACTIVE" {
		return serviceOut{e.describeService(old, true)}, nil
	}
	s := &service{
		name: in.ServiceName, arn: e.arn("service", c.name, in.ServiceName), cluster: c,
		status: "ACTIVE", created: e.now(), tags: in.Tags, clientToken: in.ClientToken,
		settings: awsapi.Present(fields, append(slices.Collect(maps.Keys(serviceFields)), createFields...)...),
	}
	if err := s.check(in); err != nil {
		return out, err
	}
	if err := e.begins(s, in); err != nil {
		return out, err
	}
	c.services = append(c.services, s)
	return serviceOut{e.describeService(s, true)}, nil
}

// check applies the rules of CreateService and reads the settings.
func (s *service) check(in createServiceIn) error {
	if err := awsapi.DecodeFields(s.settings, &s.parsed); err != nil {
		return err
	}
	old := s.cluster.service(s.name)
	switch {
	case !namePattern.MatchString(s.name):
		return parameterError("Service name can only contain letters, numbers, underscores and hyphens: %q", s.name)
	case old != nil && old.status == "DRAINING":
		return parameterError("Unable to Start a service that is still Draining.")
	case old != nil && old.status == "ACTIVE":
		return parameterError("Creation of service was not idempotent.")
	case !slices.Contains([]string{"ECS", "CODE_DEPLOY", "EXTERNAL"}, s.controller()):
		return parameterError("Invalid deployment controller: %s", s.controller())
	case s.daemon() && in.DesiredCount != nil:
		return parameterError("The daemon scheduling strategy does not support a desired count.")
	case !s.daemon() && in.DesiredCount == nil:
		return parameterError("The desired count is required for the replica scheduling strategy.")
	case in.DesiredCount != nil && *in.DesiredCount < 0:
		return parameterError("Desired count must not be negative.")
	case s.daemon() && s.fargate():
		return parameterError("The daemon scheduling strategy is not supported on Fargate.")
	}
	// A DAEMON service has one container instance here.
	s.desired = 1
	if in.DesiredCount != nil {
		s.desired = *in.DesiredCount
	}
	if err := s.parsed.checkDeployments(s.settings["deploymentConfiguration"], s.daemon()); err != nil {
		return err
	}
	return in.Tags.Check()
}

// checkDeployments checks a deploymentConfiguration with the settings around
// it. Availability Zone rebalancing starts a task before it stops one, so that
// the maximum "must be greater than 100%" (guide).
func (p serviceSettings) checkDeployments(raw json.RawMessage, daemon bool) error {
	d, err := deployconfig.Parse(raw, daemon)
	if err == nil && p.rebalances() && *d.MaximumPercent <= 100 {
		err = parameterError("maximumPercent must be greater than 100 with availabilityZoneRebalancing.")
	}
	return err
}

// begins starts the first deployment of a service, as its controller does.
func (e *region) begins(s *service, in createServiceIn) error {
	if s.controller() == "EXTERNAL" && in.TaskDefinition == "" {
		return nil
	}
	d, err := e.deployable(in.TaskDefinition)
	if err != nil {
		return err
	}
	if err := s.fits(d); err != nil {
		return err
	}
	switch s.controller() {
	case "ECS":
		return e.deploy(s, d)
	case "CODE_DEPLOY":
		s.definition = d
		set := e.newTaskSet(s, d, "")
		e.promoteTaskSet(set)
	}
	return nil
}

// fits returns an error if a task definition cannot run in a service.
func (s *service) fits(d *taskDefinition) error {
	if s.fargate() && !slices.Contains(d.Requires, "FARGATE") {
		return parameterError("Task definition does not support launch_type FARGATE.")
	}
	for _, lb := range s.parsed.LoadBalancers {
		c := d.Container(lb.ContainerName)
		if c == nil {
			return parameterError("The container %s does not exist in the task definition.", lb.ContainerName)
		}
		if !slices.Contains(c.PortMappings, taskdef.PortMapping{ContainerPort: lb.ContainerPort}) {
			return parameterError("The container %s did not have a container port %d defined.", lb.ContainerName,
				lb.ContainerPort)
		}
	}
	return nil
}
