package ecs

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// taskFamily holds the revisions of a task definition, oldest first.
type taskFamily struct {
	name      string
	revisions []*taskDefinition
}

// taskDefinition keeps every field of the request that registered it, those
// unknown here included.
type taskDefinition struct {
	family       string
	revision     int
	arn          string
	fields       map[string]json.RawMessage
	tags         tagList
	registered   time.Time
	deregistered time.Time // zero while ACTIVE
	taskSettings
}

// taskSettings is what the sandbox itself understands of a task definition.
type taskSettings struct {
	Family           string                `json:"family"`
	Containers       []containerDefinition `json:"containerDefinitions"`
	ExecutionRoleArn string                `json:"executionRoleArn"`
	NetworkMode      string                `json:"networkMode"`
	Requires         []string              `json:"requiresCompatibilities"`
	CPU              string                `json:"cpu"`
	Memory           string                `json:"memory"`
	Platform         struct {
		CPUArchitecture string `json:"cpuArchitecture"`
	} `json:"runtimePlatform"`
	Tags tagList `json:"tags"`
}

type containerDefinition struct {
	Name               string       `json:"name"`
	Image              string       `json:"image"`
	Essential          *bool        `json:"essential"`
	Memory             int          `json:"memory"`
	MemoryReservation  int          `json:"memoryReservation"`
	VersionConsistency string       `json:"versionConsistency"`
	HealthCheck        *healthCheck `json:"healthCheck"`
	Environment        []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"environment"`
	Secrets []struct {
		Name      string `json:"name"`
		ValueFrom string `json:"valueFrom"`
	} `json:"secrets"`
	PortMappings     []portMapping `json:"portMappings"`
	LogConfiguration struct {
		LogDriver string            `json:"logDriver"`
		Options   map[string]string `json:"options"`
	} `json:"logConfiguration"`
}

type portMapping struct {
	ContainerPort int `json:"containerPort"`
}

// healthCheck has the reference's defaults where a field is 0: every 30
// seconds, 3 retries, no start period.
type healthCheck struct {
	Command     []string `json:"command"`
	Interval    int      `json:"interval"`
	Retries     int      `json:"retries"`
	StartPeriod int      `json:"startPeriod"`
}

func (h healthCheck) interval() time.Duration {
	return time.Duration(cmp.Or(h.Interval, 30)) * time.Second
}

// gaveUp is how long after its start a container that never passes is unhealthy.
func (h healthCheck) gaveUp() time.Duration {
	return time.Duration(h.StartPeriod)*time.Second + time.Duration(cmp.Or(h.Retries, 3))*h.interval()
}

func (c containerDefinition) essential() bool { return c.Essential == nil || *c.Essential }

func (d *taskDefinition) container(name string) *containerDefinition {
	for i := range d.Containers {
		if d.Containers[i].Name == name {
			return &d.Containers[i]
		}
	}
	return nil
}

func (d *taskDefinition) status() string {
	if d.deregistered.IsZero() {
		return "ACTIVE"
	}
	return "INACTIVE"
}

// architecture is what images must be built for; X86_64 is the reference's
// default.
func (d *taskDefinition) architecture() string {
	if d.Platform.CPUArchitecture == "ARM64" {
		return "arm64"
	}
	return "amd64"
}

// check keeps the rules of RegisterTaskDefinition, in ECS's words.
func (s taskSettings) check() error {
	switch {
	case s.Family == "":
		return clientError("Family should not be null or blank.")
	case !namePattern.MatchString(s.Family):
		return clientError("Family contains invalid characters.")
	case len(s.Containers) == 0:
		return clientError("Container list cannot be empty.")
	}
	seen := map[string]bool{}
	for _, c := range s.Containers {
		if err := c.check(s); err != nil {
			return err
		}
		if seen[c.Name] {
			return clientError("Duplicate container name: %s", c.Name)
		}
		seen[c.Name] = true
	}
	if !slices.ContainsFunc(s.Containers, containerDefinition.essential) {
		return clientError("At least one container must be marked as essential.")
	}
	return s.checkFargate()
}

func (c containerDefinition) check(s taskSettings) error {
	switch {
	case c.Name == "":
		return clientError("Container.name should not be null or empty.")
	case !namePattern.MatchString(c.Name):
		return clientError("Invalid container name '%s': it must be of up to 255 letters, digits, hyphens and underscores.", c.Name)
	case c.Image == "":
		return clientError("Container.image should not be null or empty.")
	case c.Memory == 0 && c.MemoryReservation == 0 && s.Memory == "":
		return clientError("Invalid setting for container '%s'. At least one of 'memory' or 'memoryReservation' must be specified.", c.Name)
	case c.VersionConsistency != "" && c.VersionConsistency != "enabled" && c.VersionConsistency != "disabled":
		return clientError("Invalid setting for container '%s': versionConsistency must be enabled or disabled.", c.Name)
	}
	return nil
}

func (s taskSettings) checkFargate() error {
	switch {
	case !slices.Contains(s.Requires, "FARGATE"):
		return nil
	case s.CPU == "":
		return clientError("Fargate requires that 'cpu' be defined at the task level.")
	case s.Memory == "":
		return clientError("Fargate requires that 'memory' be defined at the task level.")
	case s.NetworkMode != "awsvpc":
		return clientError("Fargate only supports network mode ‘awsvpc’.")
	}
	return nil
}
