// Package taskdef has the fields of a task definition that ECS acts on, and the
// rules of RegisterTaskDefinition.
package taskdef

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// Settings are the fields of a task definition that the sandbox acts on.
type Settings struct {
	Family           string      `json:"family"`
	Containers       []Container `json:"containerDefinitions"`
	ExecutionRoleArn string      `json:"executionRoleArn"`
	NetworkMode      string      `json:"networkMode"`
	Requires         []string    `json:"requiresCompatibilities"`
	CPU              string      `json:"cpu"`
	Memory           string      `json:"memory"`
	Platform         struct {
		CPUArchitecture string `json:"cpuArchitecture"`
	} `json:"runtimePlatform"`
}

// Container is a container of a task definition.
type Container struct {
	Name               string       `json:"name"`
	Image              string       `json:"image"`
	Essential          *bool        `json:"essential"`
	Memory             int          `json:"memory"`
	MemoryReservation  int          `json:"memoryReservation"`
	VersionConsistency string       `json:"versionConsistency"`
	HealthCheck        *HealthCheck `json:"healthCheck"`
	Environment        []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"environment"`
	Secrets []struct {
		Name      string `json:"name"`
		ValueFrom string `json:"valueFrom"`
	} `json:"secrets"`
	PortMappings     []PortMapping `json:"portMappings"`
	LogConfiguration struct {
		LogDriver string            `json:"logDriver"`
		Options   map[string]string `json:"options"`
	} `json:"logConfiguration"`
}

// PortMapping is a port that a container listens on.
type PortMapping struct {
	ContainerPort int `json:"containerPort"`
}

// HealthCheck has the reference's defaults where a field is 0: every 30
// seconds, 3 retries, no start period.
type HealthCheck struct {
	Command     []string `json:"command"`
	Interval    int      `json:"interval"`
	Retries     int      `json:"retries"`
	StartPeriod int      `json:"startPeriod"`
}

// Period returns the time between two checks.
func (h HealthCheck) Period() time.Duration {
	return time.Duration(cmp.Or(h.Interval, 30)) * time.Second
}

// UnhealthyAfter returns the time after its start when a container that never
// passes becomes unhealthy.
func (h HealthCheck) UnhealthyAfter() time.Duration {
	return time.Duration(h.StartPeriod)*time.Second + time.Duration(cmp.Or(h.Retries, 3))*h.Period()
}

// IsEssential reports whether the exit of a container stops its task.
func (c Container) IsEssential() bool { return c.Essential == nil || *c.Essential }

// IsChecked reports whether an essential container has a health check.
func (s *Settings) IsChecked() bool {
	return slices.ContainsFunc(s.Containers, func(c Container) bool { return c.IsEssential() && c.HealthCheck != nil })
}

// Container returns a container by name, nil if there is none.
func (s *Settings) Container(name string) *Container {
	for i := range s.Containers {
		if s.Containers[i].Name == name {
			return &s.Containers[i]
		}
	}
	return nil
}

// Architecture returns the architecture that images must have; X86_64 is the
// reference's default.
func (s Settings) Architecture() string {
	if s.Platform.CPUArchitecture == "ARM64" {
		return "arm64"
	}
	return "amd64"
}

// containerDefaults are the fields that answers of ECS always have for a
// container.
var containerDefaults = map[string]json.RawMessage{
	"cpu": json.RawMessage("0"), "essential": json.RawMessage("true"),
	"portMappings": json.RawMessage("[]"), "environment": json.RawMessage("[]"), "mountPoints": json.RawMessage("[]"),
	"volumesFrom": json.RawMessage("[]"), "systemControls": json.RawMessage("[]"),
}

// FillDefaults adds the fields that answers of ECS always have to those of a
// request.
func FillDefaults(fields map[string]json.RawMessage) error {
	for _, name := range []string{"volumes", "placementConstraints"} {
		if fields[name] == nil {
			fields[name] = json.RawMessage("[]")
		}
	}
	var containers []map[string]json.RawMessage
	if err := json.Unmarshal(fields["containerDefinitions"], &containers); err != nil {
		return awsapi.NewError("SerializationException", err.Error())
	}
	for _, c := range containers {
		for name, v := range containerDefaults {
			if c[name] == nil || bytes.Equal(c[name], []byte("null")) {
				c[name] = v
			}
		}
	}
	raw, err := json.Marshal(containers)
	fields["containerDefinitions"] = raw
	return err
}
