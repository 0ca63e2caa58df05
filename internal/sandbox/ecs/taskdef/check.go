package taskdef

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

// request is the part of a task definition that only the rules read.
type request struct {
	IPCMode              string            `json:"ipcMode"`
	PIDMode              string            `json:"pidMode"`
	PlacementConstraints []json.RawMessage `json:"placementConstraints"`
	Volumes              []volume          `json:"volumes"`
	Containers           []container       `json:"containerDefinitions"`
}

type volume struct {
	Name string `json:"name"`
	Host struct {
		SourcePath string `json:"sourcePath"`
	} `json:"host"`
	Docker json.RawMessage `json:"dockerVolumeConfiguration"`
}

// container has the fields of a container that only the rules read.
type container struct {
	Container
	CPU                  int                             `json:"cpu"`
	Mappings             []mapping                       `json:"portMappings"`
	Check                *bounds                         `json:"healthCheck"`
	DependsOn            []dependency                    `json:"dependsOn"`
	Mounts               []struct{ SourceVolume string } `json:"mountPoints"`
	StopTimeout          *int                            `json:"stopTimeout"`
	Privileged           bool                            `json:"privileged"`
	DisableNetworking    bool                            `json:"disableNetworking"`
	Links                []string                        `json:"links"`
	Hostname             string                          `json:"hostname"`
	ExtraHosts           []json.RawMessage               `json:"extraHosts"`
	DNSServers           []string                        `json:"dnsServers"`
	DNSSearchDomains     []string                        `json:"dnsSearchDomains"`
	SecurityOptions      []string                        `json:"dockerSecurityOptions"`
	ResourceRequirements []struct{ Type string }         `json:"resourceRequirements"`
	RestartPolicy        *struct {
		Period *int `json:"restartAttemptPeriod"`
	} `json:"restartPolicy"`
	Linux struct {
		Capabilities struct {
			Add []string `json:"add"`
		} `json:"capabilities"`
		Devices          []json.RawMessage `json:"devices"`
		SharedMemorySize int               `json:"sharedMemorySize"`
		MaxSwap          int               `json:"maxSwap"`
		Swappiness       *int              `json:"swappiness"`
		Tmpfs            []struct {
			ContainerPath string `json:"containerPath"`
			Size          int    `json:"size"`
		} `json:"tmpfs"`
	} `json:"linuxParameters"`
}

// maxBytes is the quota "Task definition size" ("Amazon ECS service quotas" in the
// guide).
const maxBytes = 64 << 10

// Check applies the rules of RegisterTaskDefinition's reference to the fields of a
// request. ofECR reports whether an image is in a registry of ECR. The errors have the
// codes of ECS. Their texts are those of ECS where they are known from reports of
// users, and worded alike where they are not.
func Check(fields map[string]json.RawMessage, ofECR func(image string) bool) error {
	var s Settings
	var r request
	for _, into := range []any{&s, &r} {
		if err := awsapi.DecodeFields(fields, into); err != nil {
			return err
		}
	}
	if raw, err := json.Marshal(fields); err == nil && len(raw) > maxBytes {
		return clientError("Actual length: '%d'. Max allowed length is '%d' bytes.", len(raw), maxBytes)
	}
	for _, rule := range []func(Settings) error{checkNames, checkExecutionRole, r.checkContainers, r.checkNetwork, r.checkDependencies, r.checkVolumes, r.checkFargate} {
		if err := rule(s); err != nil {
			return err
		}
	}
	return checkRole(s, ofECR)
}

func checkNames(s Settings) error {
	switch {
	case s.Family == "":
		return clientError("Family should not be null or blank.")
	case !namePattern.MatchString(s.Family):
		return clientError("Family contains invalid characters.")
	case len(s.Containers) == 0:
		return clientError("Container list cannot be empty.")
	case len(s.Containers) > 10:
		return clientError("Container list cannot have more than 10 entries.")
	}
	seen := map[string]bool{}
	for _, c := range s.Containers {
		if err := c.checkName(); err != nil {
			return err
		}
		if seen[c.Name] {
			return clientError("Duplicate container name: %s", c.Name)
		}
		seen[c.Name] = true
	}
	if !slices.ContainsFunc(s.Containers, Container.IsEssential) {
		return clientError("At least one container must be marked as essential.")
	}
	return nil
}

// roleARN is the ARN of a role.
var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`)

func checkExecutionRole(s Settings) error {
	if s.ExecutionRoleArn != "" && !roleARN.MatchString(s.ExecutionRoleArn) {
		return clientError("Role is not valid")
	}
	return nil
}

func (c Container) checkName() error {
	switch {
	case c.Name == "":
		return clientError("Container.name should not be null or empty.")
	case !namePattern.MatchString(c.Name):
		return clientError("Invalid container name '%s': it must be of up to 255 letters, digits, hyphens and underscores.", c.Name)
	case c.Image == "":
		return clientError("Container.image should not be null or empty.")
	}
	return nil
}

func (r request) checkContainers(s Settings) error {
	for _, c := range r.Containers {
		for _, rule := range []func(Settings) error{c.checkMemory, c.checkBounds, c.checkVariables, c.checkLog} {
			if err := rule(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c container) checkMemory(s Settings) error {
	switch {
	case c.Memory == 0 && c.MemoryReservation == 0 && s.Memory == "":
		return c.invalid("At least one of 'memory' or 'memoryReservation' must be specified.")
	case c.Memory != 0 && c.Memory < 6:
		return c.invalid("'memory' must be at least 6.")
	case c.Memory != 0 && c.MemoryReservation >= c.Memory:
		return c.invalid("'memory' must be greater than 'memoryReservation'.")
	case c.VersionConsistency != "" && c.VersionConsistency != "enabled" && c.VersionConsistency != "disabled":
		return c.invalid("versionConsistency must be enabled or disabled.")
	}
	return nil
}

// bounds are the numbers of a health check.
type bounds struct {
	Command     []string `json:"command"`
	Interval    *int     `json:"interval"`
	Timeout     *int     `json:"timeout"`
	Retries     *int     `json:"retries"`
	StartPeriod *int     `json:"startPeriod"`
}

// checkBounds checks numbers by the references of HealthCheck, ContainerDefinition,
// ContainerRestartPolicy and Tmpfs.
func (c container) checkBounds(Settings) error {
	if h := c.Check; h != nil {
		if len(h.Command) == 0 {
			return c.invalid("The health check must have a command.")
		}
		for _, x := range []struct {
			name        string
			value       *int
			least, most int
		}{{"interval", h.Interval, 5, 300}, {"timeout", h.Timeout, 2, 60}, {"retries", h.Retries, 1, 10}, {"startPeriod", h.StartPeriod, 0, 300}} {
			if outside(x.value, x.least, x.most) {
				return c.invalid("The health check %s must be between %d and %d.", x.name, x.least, x.most)
			}
		}
	}
	if p := c.RestartPolicy; p != nil && outside(p.Period, 60, 1800) {
		return c.invalid("restartAttemptPeriod must be between 60 and 1800.")
	}
	for _, t := range c.Linux.Tmpfs {
		if t.ContainerPath == "" || t.Size < 1 {
			return c.invalid("tmpfs must have a containerPath and a size of at least 1.")
		}
	}
	return nil
}

func outside(n *int, least, most int) bool { return n != nil && (*n < least || *n > most) }

// parameterName are the names of the Parameter Store that a bare valueFrom has.
var parameterName = regexp.MustCompile(`^[a-zA-Z0-9_./-]+$`)

// secretARN is a full ARN, of a secret with an optional JSON key, stage and version, or
// of a parameter (Secret in the API reference).
var secretARN = regexp.MustCompile(`^arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^:]+(:[^:]*:[^:]*:[^:]*)?|ssm:[a-z0-9-]+:[0-9]{12}:parameter/.+)$`)

func (c container) checkVariables(s Settings) error {
	seen := map[string]bool{}
	for _, v := range c.Environment {
		seen[v.Name] = true
	}
	for _, v := range c.Secrets {
		isARN := strings.HasPrefix(v.ValueFrom, "arn:")
		switch {
		case v.Name == "" || v.ValueFrom == "":
			return c.invalid("Secrets must have a name and valueFrom.")
		case seen[v.Name]:
			return clientError("The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '%s'.", v.Name)
		case !isARN && (len(v.ValueFrom) > 2048 || !parameterName.MatchString(v.ValueFrom)):
			return clientError("The Systems Manager parameter name specified for secret %s is invalid. The parameter name can be up to 2048 characters and include the following letters and symbols: a-zA-Z0-9_.-", v.Name)
		case isARN && !secretARN.MatchString(v.ValueFrom):
			return c.invalid("valueFrom of secret %s must be a full ARN of Secrets Manager or Systems Manager.", v.Name)
		case s.ExecutionRoleArn == "":
			return clientError("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
		}
		seen[v.Name] = true
	}
	return nil
}

func (c container) checkLog(s Settings) error {
	if c.LogConfiguration.LogDriver != "awslogs" {
		return nil
	}
	needed := []string{"awslogs-region", "awslogs-group"}
	if s.onFargate() {
		needed = append(needed, "awslogs-stream-prefix")
	}
	for _, option := range needed {
		if c.LogConfiguration.Options[option] == "" {
			return clientError("Log driver awslogs requires options: %s", strings.Join(needed, ", "))
		}
	}
	return nil
}

// checkVolumes checks that mount points name volumes of the task.
func (r request) checkVolumes(Settings) error {
	for _, c := range r.Containers {
		for _, m := range c.Mounts {
			if !slices.ContainsFunc(r.Volumes, func(v volume) bool { return v.Name == m.SourceVolume }) {
				return clientError("Unknown volume '%s'.", m.SourceVolume)
			}
		}
	}
	return nil
}

func (c container) invalid(format string, args ...any) error {
	return clientError("Invalid setting for container '"+c.Name+"'. "+format, args...)
}

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,255}$`)

func clientError(format string, args ...any) error {
	return awsapi.Errorf("ClientException", format, args...)
}
