package ecs

import (
	"cmp"
	"encoding/json"
	"slices"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/taskdef"
)

// expressIn is the part of CreateExpressGatewayService and
// UpdateExpressGatewayService that the sandbox acts on.
type expressIn struct {
	ServiceArn         string          `json:"serviceArn"`
	ServiceName        string          `json:"serviceName"`
	Cluster            string          `json:"cluster"`
	InfrastructureRole string          `json:"infrastructureRoleArn"`
	ExecutionRole      string          `json:"executionRoleArn"`
	TaskDefinitionArn  string          `json:"taskDefinitionArn"`
	Primary            *expressPrimary `json:"primaryContainer"`
}

type expressPrimary struct {
	Image       string          `json:"image"`
	Port        int             `json:"containerPort"`
	Command     json.RawMessage `json:"command"`
	Environment json.RawMessage `json:"environment"`
	Secrets     json.RawMessage `json:"secrets"`
}

type expressOut struct {
	Service object `json:"service"`
}

// createExpressService makes a service that ECS manages, with one task. The
// load balancer and the scaling of Express Mode are left out.
func createExpressService(e *region, in expressIn) (out expressOut, err error) {
	if in.InfrastructureRole == "" {
		return out, parameterError("infrastructureRoleArn is required.")
	}
	definition, err := e.expressDefinition(in, in.ServiceName)
	if err != nil {
		return out, err
	}
	fields := jsonFields(object{
		"cluster": in.Cluster, "serviceName": in.ServiceName, "taskDefinition": definition.arn, "desiredCount": 1, "launchType": "FARGATE",
		"networkConfiguration":    object{"awsvpcConfiguration": object{"subnets": []string{"subnet-express"}}},
		"deploymentConfiguration": object{"deploymentCircuitBreaker": object{"enable": true, "rollback": true}},
	})
	if _, err := createService(e, fields); err != nil {
		return out, err
	}
	s, err := e.service(in.Cluster, in.ServiceName)
	if err != nil {
		return out, err
	}
	s.settings["resourceManagementType"] = json.RawMessage(`"ECS"`)
	return expressOut{e.describeExpress(s, "activeConfigurations", []object{expressConfiguration(s)})}, nil
}

// updateExpressService deploys another task definition: a given one, or one
// that Express Mode makes of the primary container, whatever the service ran.
func updateExpressService(e *region, in expressIn) (out expressOut, err error) {
	s, err := e.expressService(in.ServiceArn)
	if err != nil {
		return out, err
	}
	definition := s.definition
	if in.TaskDefinitionArn != "" || in.Primary != nil {
		if definition, err = e.expressDefinition(in, s.name); err != nil {
			return out, err
		}
	}
	_, err = updateService(e, jsonFields(object{"cluster": s.cluster.name, "service": s.name, "taskDefinition": definition.arn}))
	return expressOut{e.describeExpress(s, "targetConfiguration", expressConfiguration(s))}, err
}

func describeExpressService(e *region, in expressIn) (out expressOut, err error) {
	s, err := e.expressService(in.ServiceArn)
	if err != nil {
		return out, err
	}
	return expressOut{e.describeExpress(s, "activeConfigurations", []object{expressConfiguration(s)})}, nil
}

// expressService returns a service of Express Mode by its ARN.
func (e *region) expressService(arn string) (*service, error) {
	for _, s := range e.services() {
		if s.arn == arn && s.settings["resourceManagementType"] != nil && s.status == "ACTIVE" {
			return s, nil
		}
	}
	return nil, awsapi.NewError("ResourceNotFoundException", "The Express service was not found.")
}

// expressDefinition returns the task definition of a request. A given one
// "must have a container named Main with a single TCP port mapping that
// includes a container port and port name", and must not come with a primary
// container (reference of UpdateExpressGatewayService).
func (e *region) expressDefinition(in expressIn, service string) (*taskDefinition, error) {
	switch {
	case in.TaskDefinitionArn != "" && in.Primary != nil:
		return nil, parameterError("You can't specify both taskDefinitionArn and primaryContainer.")
	case in.TaskDefinitionArn == "" && (in.Primary == nil || in.Primary.Image == ""):
		return nil, parameterError("primaryContainer or taskDefinitionArn is required.")
	case in.TaskDefinitionArn != "":
		d, err := e.deployable(in.TaskDefinitionArn)
		if err != nil {
			return nil, err
		}
		if c := d.Container("Main"); c == nil || len(c.PortMappings) != 1 || !slices.Contains(d.Requires, "FARGATE") {
			return nil, parameterError("The task definition must be compatible with FARGATE and have a container named Main with a single port mapping.")
		}
		return d, nil
	}
	main := object{
		"name": "Main", "image": in.Primary.Image, "essential": true,
		"portMappings": []object{{"containerPort": cmp.Or(in.Primary.Port, 80), "name": "main", "protocol": "tcp"}},
	}
	for name, v := range map[string]json.RawMessage{"command": in.Primary.Command, "environment": in.Primary.Environment, "secrets": in.Primary.Secrets} {
		if v != nil {
			main[name] = v
		}
	}
	out, err := registerTaskDefinition(e, jsonFields(object{
		"family": service, "networkMode": "awsvpc", "requiresCompatibilities": []string{"FARGATE"}, "cpu": "256", "memory": "512",
		"executionRoleArn": cmp.Or(in.ExecutionRole, "arn:aws:iam::000000000000:role/ecsTaskExecutionRole"), "containerDefinitions": []object{main},
	}))
	if err != nil {
		return nil, err
	}
	return e.definition(out.TaskDefinition["taskDefinitionArn"].(string))
}

// describeExpress returns a service of Express Mode with a configuration.
func (e *region) describeExpress(s *service, name string, configuration any) object {
	return object{
		"serviceArn": s.arn, "serviceName": s.name, "cluster": s.cluster.name, "createdAt": awsapi.Stamp(s.created),
		"status": object{"statusCode": s.status}, name: configuration,
	}
}

func expressConfiguration(s *service) object {
	out := object{"taskDefinitionArn": s.definition.arn, "cpu": "256", "memory": "512"}
	if c := s.definition.Container("Main"); c != nil {
		out["primaryContainer"] = object{"image": c.Image, "containerPort": portOf(c)}
	}
	return out
}

func portOf(c *taskdef.Container) int {
	if len(c.PortMappings) == 0 {
		return 80
	}
	return c.PortMappings[0].ContainerPort
}

// jsonFields returns the fields of a request.
func jsonFields(in object) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for name, v := range in {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err) // the values are strings, numbers and lists of such
		}
		if string(raw) != `""` {
			out[name] = raw
		}
	}
	return out
}
