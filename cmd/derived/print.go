// Package derived prints task definitions that were derived from a compose project.
package derived

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"slipway/internal/allow"
	"slipway/internal/plain"
	"slipway/rollout/task"
)

// Print writes the definitions as text: a line for each, and below it a block for each
// container with a line for each field. It hides values of variables whose names look
// like those of credentials.
func Print(w io.Writer, definitions []task.Definition) error {
	var out strings.Builder
	for i, d := range definitions {
		if i > 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "%s  %s\n", d.Input.Family, purpose(d))
		in := d.Input
		in.Containers = nil
		if err := fields(&out, "  ", in, "family", "containerDefinitions"); err != nil {
			return err
		}
		for _, c := range d.Input.Containers {
			fmt.Fprintf(&out, "  container %s\n", c.Name)
			variables := c.Environment
			c.Environment = nil
			if err := fields(&out, "    ", c, "name"); err != nil {
				return err
			}
			for _, v := range variables {
				fmt.Fprintf(&out, "    %-22s  %s=%s\n", "environment", plain.Text(v.Name), shown(v))
			}
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// purpose names the ECS service that runs a definition, or the time when a one-off task
// runs.
func purpose(d task.Definition) string {
	switch {
	case d.Before != "":
		return "one-off task before a rollout"
	case d.ECS.Service == "":
		return "no ECS service is named"
	case d.ECS.Cluster == "":
		return "ECS service " + d.ECS.Service
	}
	return "ECS service " + d.ECS.Cluster + "/" + d.ECS.Service
}

func shown(v task.Variable) string {
	if v.Value != "" && allow.Secret(v.Name) {
		return "REDACTED"
	}
	return plain.Text(v.Value)
}

// fields writes the fields of a value by their keys in JSON, apart from some: a text as
// it is, and anything else as JSON.
func fields(out *strings.Builder, indent string, v any, except ...string) error {
	text, err := task.JSON(v)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		name, _ := key.(string)
		if !strings.Contains(" "+strings.Join(except, " ")+" ", " "+name+" ") {
			fmt.Fprintf(out, "%s%-22s  %s\n", indent, name, oneLine(value))
		}
	}
	return nil
}

// oneLine returns a value of JSON on one line.
func oneLine(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return plain.Text(s)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, value); err != nil {
		return string(value)
	}
	return plain.Text(out.String())
}
