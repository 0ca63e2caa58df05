package task

import (
	"bytes"
	"cmp"
	"encoding/json"
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
}

func (a Surroundings) region() string { return cmp.Or(a.Region, "REGION") }

// output returns the value of an output of the stack.
func (a Surroundings) output(name string) string {
	return cmp.Or(a.Outputs[name], "OUTPUT_"+strings.ToUpper(name))
}

// secret returns the ARN of a secret of the project. Secrets Manager ends it with six
// characters of its own.
func (a Surroundings) secret(project, name string) string {
	partition := "aws"
	if p, ok := awsname.PartitionOf(a.Region); ok {
		partition = p.ID
	}
	arn := "arn:" + partition + ":secretsmanager:" + a.region() + ":" + cmp.Or(a.Account, "ACCOUNT") + ":secret:" + project + "/" + name + "-SUFFIX"
	return cmp.Or(a.Secrets[name], arn)
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
