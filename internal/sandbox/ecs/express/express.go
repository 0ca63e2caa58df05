// Package express is ECS Express Mode: services that ECS owns, with a container
// called Main. Their load balancers and scaling are left out.
package express

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

type object = map[string]any

// mode has the actions of ECS that Express Mode uses itself.
type mode map[string]awsapi.Action

// Actions returns the actions of ECS and those of Express Mode.
func Actions(ecs map[string]awsapi.Action) map[string]awsapi.Action {
	out, m := maps.Clone(ecs), mode(ecs)
	out["CreateExpressGatewayService"] = awsapi.NewAction(m.create)
	out["UpdateExpressGatewayService"] = awsapi.NewAction(m.update)
	out["DescribeExpressGatewayService"] = awsapi.NewAction(m.describe)
	return out
}

// request is the part of the requests that the sandbox acts on.
type request struct {
	ServiceArn         string   `json:"serviceArn"`
	ServiceName        string   `json:"serviceName"`
	Cluster            string   `json:"cluster"`
	InfrastructureRole string   `json:"infrastructureRoleArn"`
	ExecutionRole      string   `json:"executionRoleArn"`
	TaskDefinitionArn  string   `json:"taskDefinitionArn"`
	Primary            *primary `json:"primaryContainer"`
}

type primary struct {
	Image       string          `json:"image"`
	Port        int             `json:"containerPort"`
	Command     json.RawMessage `json:"command,omitempty"`
	Environment json.RawMessage `json:"environment,omitempty"`
	Secrets     json.RawMessage `json:"secrets,omitempty"`
}

type answer struct {
	Service object `json:"service"`
}

// service is a part of the description of a service.
type service struct {
	ServiceArn     string  `json:"serviceArn"`
	ServiceName    string  `json:"serviceName"`
	ClusterArn     string  `json:"clusterArn"`
	Status         string  `json:"status"`
	TaskDefinition string  `json:"taskDefinition"`
	Management     string  `json:"resourceManagementType"`
	CreatedAt      float64 `json:"createdAt"`
}

// definition is a part of the description of a task definition.
type definition struct {
	ARN        string   `json:"taskDefinitionArn"`
	Requires   []string `json:"requiresCompatibilities"`
	Role       string   `json:"executionRoleArn"`
	Containers []struct {
		Name         string `json:"name"`
		Image        string `json:"image"`
		PortMappings []struct {
			ContainerPort int `json:"containerPort"`
		} `json:"portMappings"`
	} `json:"containerDefinitions"`
}

// main returns the place of the container called Main, -1 without one.
func (d definition) main() int {
	for i, c := range d.Containers {
		if c.Name == "Main" && len(c.PortMappings) == 1 {
			return i
		}
	}
	return -1
}

// create makes a service with one task.
func (m mode) create(c awsapi.Call, in request) (out answer, err error) {
	if in.InfrastructureRole == "" {
		return out, invalid("infrastructureRoleArn is required.")
	}
	d, err := m.definition(c, in, in.ServiceName)
	if err != nil {
		return out, err
	}
	fields := object{
		"cluster": in.Cluster, "serviceName": in.ServiceName, "taskDefinition": d.ARN, "desiredCount": 1, "launchType": "FARGATE",
		"networkConfiguration":    object{"awsvpcConfiguration": object{"subnets": []string{"subnet-express"}}},
		"deploymentConfiguration": object{"deploymentCircuitBreaker": object{"enable": true, "rollback": true}},
		"resourceManagementType":  "ECS",
	}
	var made struct{ Service service }
	if err := m.call(c, "CreateService", fields, &made); err != nil {
		return out, err
	}
	return answer{made.Service.describe("activeConfigurations", []object{d.configuration()})}, nil
}

// update deploys another task definition: a given one, or one that Express Mode
// makes of the primary container, whatever the service ran.
func (m mode) update(c awsapi.Call, in request) (out answer, err error) {
	s, err := m.service(c, in.ServiceArn)
	if err != nil {
		return out, err
	}
	d := definition{ARN: s.TaskDefinition}
	if in.TaskDefinitionArn != "" || in.Primary != nil {
		if in.ExecutionRole == "" { // it stays
			running, err := m.read(c, s.TaskDefinition)
			if err != nil {
				return out, err
			}
			in.ExecutionRole = running.Role
		}
		if d, err = m.definition(c, in, s.ServiceName); err != nil {
			return out, err
		}
	}
	fields := object{"cluster": s.ClusterArn, "service": s.ServiceName, "taskDefinition": d.ARN}
	return answer{s.describe("targetConfiguration", d.configuration())}, m.call(c, "UpdateService", fields, nil)
}

func (m mode) describe(c awsapi.Call, in request) (out answer, err error) {
	s, err := m.service(c, in.ServiceArn)
	if err != nil {
		return out, err
	}
	d, err := m.read(c, s.TaskDefinition)
	return answer{s.describe("activeConfigurations", []object{d.configuration()})}, err
}

// service returns a service of Express Mode by its ARN.
func (m mode) service(c awsapi.Call, arn string) (service, error) {
	parts := strings.Split(arn, "/")
	var found struct{ Services []service }
	err := m.call(c, "DescribeServices", object{"cluster": parts[max(0, len(parts)-2)], "services": []string{arn}}, &found)
	if err != nil || len(found.Services) == 0 || found.Services[0].Management != "ECS" || found.Services[0].Status != "ACTIVE" {
		return service{}, awsapi.NewError("ResourceNotFoundException", "The Express service was not found.")
	}
	return found.Services[0], nil
}

// definition returns the task definition of a request. A given one "must have a
// container named Main with a single TCP port mapping", and must not come with
// a primary container (reference of UpdateExpressGatewayService).
func (m mode) definition(c awsapi.Call, in request, family string) (definition, error) {
	switch {
	case in.TaskDefinitionArn != "" && in.Primary != nil:
		return definition{}, invalid("You can't specify both taskDefinitionArn and primaryContainer.")
	case in.TaskDefinitionArn == "" && (in.Primary == nil || in.Primary.Image == ""):
		return definition{}, invalid("primaryContainer or taskDefinitionArn is required.")
	case in.TaskDefinitionArn == "":
		return m.register(c, in, family)
	}
	d, err := m.read(c, in.TaskDefinitionArn)
	if err == nil && (d.main() < 0 || !slices.Contains(d.Requires, "FARGATE")) {
		err = invalid("The task definition must be compatible with FARGATE and have a container named Main with a single port mapping.")
	}
	return d, err
}

// register makes the task definition of a primary container.
func (m mode) register(c awsapi.Call, in request, family string) (definition, error) {
	main := object{
		"name": "Main", "image": in.Primary.Image, "essential": true,
		"portMappings": []object{{"containerPort": cmp.Or(in.Primary.Port, 80), "name": "main", "protocol": "tcp"}},
	}
	for name, v := range map[string]json.RawMessage{"command": in.Primary.Command, "environment": in.Primary.Environment, "secrets": in.Primary.Secrets} {
		if v != nil {
			main[name] = v
		}
	}
	var made struct{ TaskDefinition definition }
	err := m.call(c, "RegisterTaskDefinition", object{
		"family": family, "networkMode": "awsvpc", "requiresCompatibilities": []string{"FARGATE"}, "cpu": "256", "memory": "512",
		"executionRoleArn": in.ExecutionRole, "containerDefinitions": []object{main},
	}, &made)
	return made.TaskDefinition, err
}

func (m mode) read(c awsapi.Call, arn string) (definition, error) {
	var found struct{ TaskDefinition definition }
	err := m.call(c, "DescribeTaskDefinition", object{"taskDefinition": arn}, &found)
	return found.TaskDefinition, err
}

// call calls an action of ECS.
func (m mode) call(c awsapi.Call, name string, in object, out any) error {
	maps.DeleteFunc(in, func(_ string, v any) bool { return v == "" })
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answered, err := m[name](c, body)
	if err != nil || out == nil {
		return err
	}
	if body, err = json.Marshal(answered); err != nil {
		return err
	}
	return json.Unmarshal(body, out)
}

// describe returns a service with a configuration.
func (s service) describe(name string, configuration any) object {
	return object{
		"serviceArn": s.ServiceArn, "serviceName": s.ServiceName, "cluster": s.ClusterArn, "createdAt": s.CreatedAt,
		"status": object{"statusCode": s.Status}, name: configuration,
	}
}

func (d definition) configuration() object {
	out := object{"taskDefinitionArn": d.ARN, "cpu": "256", "memory": "512"}
	if i := d.main(); i >= 0 {
		out["primaryContainer"] = object{"image": d.Containers[i].Image, "containerPort": d.Containers[i].PortMappings[0].ContainerPort}
	}
	return out
}

func invalid(text string) error { return awsapi.NewError("InvalidParameterException", text) }
