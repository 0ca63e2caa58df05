package taskdef

import "slices"

// Attribute is an attribute of a container instance.
type Attribute struct {
	Name string `json:"name"`
}

// Attributes returns the attributes that a container instance needs for a task
// definition.
func (s Settings) Attributes() []Attribute {
	out := []Attribute{{"com.amazonaws.ecs.capability.docker-remote-api.1.18"}}
	if s.NetworkMode == "awsvpc" {
		out = append(out, Attribute{"ecs.capability.task-eni"})
	}
	if slices.ContainsFunc(s.Containers, func(c Container) bool { return c.LogConfiguration.LogDriver == "awslogs" }) {
		out = append(out, Attribute{"com.amazonaws.ecs.capability.logging-driver.awslogs"})
	}
	return out
}

// CPUArchitecture returns the value of a task's attribute ecs.cpu-architecture.
func (s Settings) CPUArchitecture() string {
	if s.Architecture() == "arm64" {
		return "arm64"
	}
	return "x86_64"
}
