package diff

import (
	"cmp"
	"strings"

	"slipway/rollout/task"
)

// finder finds the surroundings of a task in its running definition.
type finder struct{ fields object }

// find returns the value of a place in the running definition; empty if it has none. now
// is the value with names in capitals.
func (f finder) find(p task.Place, now string) string {
	if p.Container == "" {
		return text(f.fields, p.Field)
	}
	switch p.Field {
	case "environment":
		return text(f.variable(p), "value")
	case "secrets":
		if from := text(f.variable(p), "valueFrom"); sameSecret(from, now) {
			return from
		}
		return ""
	}
	return f.logOption(p)
}

// variable returns a variable of a container.
func (f finder) variable(p task.Place) object {
	for _, v := range objects(f.container(p.Container)[p.Field]) {
		if text(v, "name") == p.Name {
			return v
		}
	}
	return nil
}

func (f finder) container(name string) object {
	for _, c := range objects(f.fields["containerDefinitions"]) {
		if text(c, "name") == name {
			return c
		}
	}
	return nil
}

// logOption returns an option of the log: that of the container, or for a new container
// that of another one.
func (f finder) logOption(p task.Place) string {
	option := func(c object) string {
		if log := asObject(c["logConfiguration"]); text(log, "logDriver") == "awslogs" {
			return text(asObject(log["options"]), p.Name)
		}
		return ""
	}
	found := option(f.container(p.Container))
	for _, c := range objects(f.fields["containerDefinitions"]) {
		found = cmp.Or(found, option(c))
	}
	if p.Name == "awslogs-region" {
		found = cmp.Or(found, arnPart(text(f.fields, "taskDefinitionArn"), 3))
	}
	return found
}

// secretPart is the place of a secret's name in its ARN, and secretEnd the length of the
// end that Secrets Manager gives it, with the dash ("What's in a secret" in the Secrets
// Manager user guide).
const (
	secretPart = 6
	secretEnd  = 7
)

// sameSecret reports whether an ARN is that of the secret in another one, whose region,
// account and end are not known.
func sameSecret(arn, unknown string) bool {
	have, want := arnPart(arn, secretPart), arnPart(unknown, secretPart)
	return len(have) > secretEnd && have[:len(have)-secretEnd] == strings.TrimSuffix(want, "-SUFFIX")
}

// arnPart returns a part of an ARN, counted from 0.
func arnPart(arn string, n int) string {
	if parts := strings.Split(arn, ":"); len(parts) > n {
		return parts[n]
	}
	return ""
}
