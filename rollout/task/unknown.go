package task

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Place is a value of a definition that only its surroundings know.
type Place struct {
	// Container is the name of the container; empty for a role of the task.
	Container string
	// Field is the field of the task or of the container by its key in ECS's API.
	Field string
	// Name is the variable or the option of the log driver; empty for a role.
	Name string
	// From is the output of the stack or the project's own secret that gives the value;
	// empty for the others.
	From string
}

// String returns the place as a path, such as web.environment.TABLE.
func (p Place) String() string {
	return strings.Join(slices.DeleteFunc([]string{p.Container, p.Field, p.Name}, func(s string) bool { return s == "" }), ".")
}

// secretSuffix stands for the characters at the end of a secret's ARN.
const secretSuffix = "-SUFFIX"

// Unknown returns the places where a name in capitals stands for an unknown value.
func (d Definition) Unknown() []Place {
	_, unknown := d.Fill(func(Place, string) string { return "" })
	return unknown
}

// Own returns the name in Secrets Manager of the project's own secret, of which valueFrom
// has a name in capitals for what is not known; "" for any other value.
func Own(valueFrom string) string {
	parts := strings.SplitN(valueFrom, ":", 7)
	if name, ok := strings.CutSuffix(parts[len(parts)-1], secretSuffix); ok && len(parts) == 7 {
		return name
	}
	return ""
}

// Fill returns the definition with the values that value gives for the places where a
// name in capitals stands for an unknown one. It returns the places for which value
// gives none, too: there the name in capitals stays. d is not changed.
func (d Definition) Fill(value func(p Place, now string) string) (Definition, []Place) {
	var unknown []Place
	fill := func(now *string, isUnknown bool, p Place) {
		if !isUnknown {
			return
		}
		found := value(p, *now)
		if found == "" {
			unknown = append(unknown, p)
		}
		*now = cmp.Or(found, *now)
	}
	in := &d.Input
	fill(&in.ExecutionRoleARN, in.ExecutionRoleARN == executionRole, Place{Field: "executionRoleArn"})
	fill(&in.TaskRoleARN, in.TaskRoleARN == taskRole, Place{Field: "taskRoleArn"})
	in.Containers = slices.Clone(in.Containers)
	for i := range in.Containers {
		d.fillContainer(&in.Containers[i], fill)
	}
	return d, unknown
}

// fillContainer fills in the values of one container.
func (d Definition) fillContainer(c *Container, fill func(now *string, isUnknown bool, p Place)) {
	c.Environment, c.Secrets = slices.Clone(c.Environment), slices.Clone(c.Secrets)
	for i, v := range c.Environment {
		output := d.Outputs[c.Name][v.Name]
		isUnknown := output != "" && v.Value == "OUTPUT_"+strings.ToUpper(output)
		fill(&c.Environment[i].Value, isUnknown, Place{c.Name, "environment", v.Name, output})
	}
	for i, s := range c.Secrets {
		secret := d.Secrets[c.Name][s.Name]
		isUnknown := secret != "" && strings.HasSuffix(s.ValueFrom, secretSuffix)
		fill(&c.Secrets[i].ValueFrom, isUnknown, Place{c.Name, "secrets", s.Name, secret})
	}
	if c.LogConfiguration == nil {
		return
	}
	log := Log{c.LogConfiguration.LogDriver, maps.Clone(c.LogConfiguration.Options)}
	c.LogConfiguration = &log
	for option, name := range map[string]string{logGroupOption: logGroup, logRegionOption: region} {
		if text := log.Options[option]; text == name {
			fill(&text, true, Place{Container: c.Name, Field: "logConfiguration", Name: option})
			log.Options[option] = text
		}
	}
}
