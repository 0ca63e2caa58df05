package derived

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"slipway/internal/plain"
	"slipway/internal/redact"
	"slipway/rollout/settings"
	"slipway/rollout/task"
	"slipway/rollout/task/diff"
)

// PrintDifferences writes the differences in the settings of ECS services as text. It
// shows the values of the fields only on a terminal, and never those of variables whose
// names are like those of credentials.
func PrintDifferences(w io.Writer, found []settings.Difference, terminal bool) error {
	var out strings.Builder
	for _, d := range found {
		state := "differs from"
		if len(d.Changes) == 0 {
			state = "has the settings of"
		}
		fmt.Fprintf(&out, "%s  %s task definition %s\n", plain.Text(d.Service.String()), state, plain.Text(d.Running.Name()))
		for _, note := range d.Notes {
			fmt.Fprintf(&out, "  note: %s\n", plain.Text(note))
		}
		for _, c := range d.Changes {
			line := c.Where()
			if terminal && !c.Rotated {
				line += ": " + shown(c, c.Old) + " → " + shown(c, c.New)
			}
			fmt.Fprintf(&out, "  %s\n", plain.Text(line))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// shown returns a value as text, "none" for no value, and without credentials.
func shown(c diff.Change, v any) string {
	if v == nil {
		return "none"
	}
	if redact.Credential(c.Name()) {
		return redact.Mark
	}
	text, ok := v.(string)
	if !ok {
		data, err := task.JSON(hideVariables(v))
		if err != nil {
			return redact.Mark
		}
		var compact json.RawMessage = data
		text = oneLine(compact)
	}
	return credentials.Text(text)
}

// hideVariables returns a value in which the values of variables, labels and options with
// names like those of credentials are hidden: those of a whole container, too.
func hideVariables(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = hideVariables(item)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		name, _ := v["name"].(string)
		for key, item := range v {
			if _, isText := item.(string); isText && (redact.Credential(key) || key == "value" && redact.Credential(name)) {
				item = redact.Mark
			}
			out[key] = hideVariables(item)
		}
		return out
	}
	return v
}

// difference is an element of the array that task --diff prints as JSON.
type difference struct {
	Cluster        string            `json:"cluster,omitempty"`
	Service        string            `json:"service"`
	TaskDefinition string            `json:"taskDefinition"`
	Equal          bool              `json:"equal"`
	Differences    []fieldDifference `json:"differences"`
	Notes          []string          `json:"notes,omitempty"`
}

// fieldDifference is a field that differs. The values are left out except on a terminal.
type fieldDifference struct {
	Container string `json:"container,omitempty"`
	Field     string `json:"field,omitempty"`
	Old       string `json:"old,omitempty"`
	New       string `json:"new,omitempty"`
	// NewVersion reports a secret that has a new version.
	NewVersion bool `json:"newVersion,omitempty"`
}

// Differences returns the differences for machines.
func Differences(found []settings.Difference, terminal bool) any {
	out := []difference{}
	for _, d := range found {
		row := difference{d.Service.Cluster, d.Service.Service, d.Running.ARN, len(d.Changes) == 0, []fieldDifference{}, d.Notes}
		for _, c := range d.Changes {
			field := fieldDifference{Container: c.Container, Field: c.Field, NewVersion: c.Rotated}
			if terminal && !c.Rotated {
				field.Old, field.New = shown(c, c.Old), shown(c, c.New)
			}
			row.Differences = append(row.Differences, field)
		}
		out = append(out, row)
	}
	return out
}
