package project

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/fault"
	"slipway/internal/redact"
	"slipway/rollout/task"
)

// refuseSecretValues refuses a definition that has the value of a secret, as after
// environment: {PASSWORD: ${DB_PASSWORD}}: anybody who may describe task definitions could
// read it. Known are the values of secrets that come from variables.
func refuseSecretValues(composed *types.Project, d task.Definition) error {
	values := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(composed.Secrets)) {
		s := composed.Secrets[key]
		if value := composed.Environment[s.Environment]; s.Environment != "" && !bool(s.External) && value != "" {
			values[key] = value
		}
	}
	for i, c := range d.Input.Containers {
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if err := refuseValue("services."+d.Services[i], c, key, values[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

// refuseValue refuses a container that has the value of one secret.
func refuseValue(where string, c task.Container, key, value string) error {
	long := len(value) >= redact.Shortest
	for _, v := range c.Environment {
		if v.Value == value || long && strings.Contains(v.Value, value) {
			return fault.NewInput(where+".environment."+v.Name, "has the value of secret "+key+", which would be readable in the task definition",
				fmt.Sprintf("remove it, and let the service read the secret with secrets: [{source: %s, target: %s}]; or give the secret another value", key, v.Name))
		}
	}
	if text, err := task.JSON(c); err != nil || long && strings.Contains(string(text), inJSON(value)) {
		return fault.NewInput(where, "a field of its container has the value of secret "+key+", which would be readable in the task definition",
			"let the container read it from the variable that secrets: gives it")
	}
	return nil
}

// inJSON returns a text as task.JSON writes it, without the quotes.
func inJSON(text string) string {
	out, err := task.JSON(text)
	if err != nil {
		return text
	}
	return strings.Trim(strings.TrimSpace(string(out)), `"`)
}
