package task

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"slipway/internal/awsname"
)

// Surroundings are the resources around a task, which a stack or the environment
// names. In a definition, a name in capitals such as EXECUTION_ROLE_ARN stands for an
// empty one.
type Surroundings struct {
	// ExecutionRole and TaskRole are ARNs.
	ExecutionRole, TaskRole string
	// LogGroup is the name of the CloudWatch log group.
	LogGroup string
	// Region is the region of the task, Account its 12-digit account.
	Region, Account string
	// Outputs are the outputs of the stack by name.
	Outputs map[string]string
	// Secrets are the ARNs of the project's own secrets by their names in the compose
	// file.
	Secrets map[string]string
	// Versions are the ids of the versions of secrets that new tasks get, by the secret's
	// place as a definition writes it; none for those that are not known.
	Versions map[string]string
}

// The names that stand for surroundings.
const (
	executionRole = "EXECUTION_ROLE_ARN"
	taskRole      = "TASK_ROLE_ARN"
	logGroup      = UnknownLogGroup
	region        = "REGION"
	account       = "ACCOUNT"
)

// UnknownLogGroup stands for the log group where no stack says which.
const UnknownLogGroup = "LOG_GROUP"

// The options of the log driver awslogs that come from the surroundings.
const (
	logGroupOption  = "awslogs-group"
	logRegionOption = "awslogs-region"
)

// In returns the definition in its surroundings. Names in capitals stay where the
// surroundings do not say more. d is not changed.
func (d Definition) In(around Surroundings) Definition {
	fill := func(field *string, name, value string) {
		if *field == name {
			*field = cmp.Or(value, name)
		}
	}
	fill(&d.Input.ExecutionRoleARN, executionRole, around.ExecutionRole)
	fill(&d.Input.TaskRoleARN, taskRole, around.TaskRole)
	d.Versions = around.Versions
	d.Input.Containers = slices.Clone(d.Input.Containers)
	for i := range d.Input.Containers {
		c := &d.Input.Containers[i]
		c.Environment, c.Secrets = slices.Clone(c.Environment), slices.Clone(c.Secrets)
		for j, v := range c.Environment {
			if output := d.Outputs[c.Name][v.Name]; output != "" {
				c.Environment[j].Value = cmp.Or(around.Outputs[output], v.Value)
			}
		}
		for j, s := range c.Secrets {
			if secret := d.Secrets[c.Name][s.Name]; secret != "" {
				c.Secrets[j].ValueFrom = cmp.Or(around.Secrets[secret], around.inARN(s.ValueFrom))
			}
		}
		if c.LogConfiguration != nil && c.LogConfiguration.LogDriver == "awslogs" {
			log := Log{"awslogs", maps.Clone(c.LogConfiguration.Options)}
			for option, value := range map[string]string{logGroupOption: around.LogGroup, logRegionOption: around.Region} {
				if name := log.Options[option]; value != "" && (name == logGroup || name == region) {
					log.Options[option] = value
				}
			}
			c.LogConfiguration = &log
		}
	}
	return d
}

// inARN fills the region and the account of an ARN whose secret is not known.
func (a Surroundings) inARN(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if p, ok := awsname.PartitionOf(a.Region); ok && len(parts) == 6 {
		parts[1] = p.ID
	}
	arn = strings.Join(parts, ":")
	arn = strings.Replace(arn, ":"+region+":", ":"+cmp.Or(a.Region, region)+":", 1)
	return strings.Replace(arn, ":"+account+":", ":"+cmp.Or(a.Account, account)+":", 1)
}

// JSON returns a value as an indented document, in which & < and > are themselves.
func JSON(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return out.Bytes(), err
}
