package surroundings

import (
	"slices"

	"slipway/rollout/secret"
	"slipway/rollout/task"
)

// reference is a secret of Secrets Manager that a container reads.
type reference struct {
	secret.Secret
	valueFrom string
	// where is its place, for people.
	where string
}

// references returns the secrets of Secrets Manager that definitions refer to, each place
// once. A reference that ECS would refuse is left to it.
func references(definitions []task.Definition) []reference {
	var out []reference
	for _, d := range definitions {
		for i, c := range d.Input.Containers {
			for _, s := range c.Secrets {
				r, ok := newReference(d, i, s)
				if ok && !slices.ContainsFunc(out, func(have reference) bool { return have.valueFrom == r.valueFrom }) {
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// newReference returns the reference of a variable. It reports false for a parameter.
func newReference(d task.Definition, container int, v task.Secret) (reference, bool) {
	key := d.Secrets[d.Input.Containers[container].Name][v.Name]
	if name := task.Own(v.ValueFrom); name != "" && key != "" {
		own := secret.Secret{Key: key, Store: secret.Manager, ID: name}
		return reference{own, v.ValueFrom, "secrets." + key}, true
	}
	s, err := secret.External("", v.ValueFrom)
	where := "services." + d.Services[container] + ".secrets." + v.Name
	return reference{s, v.ValueFrom, where}, err == nil && s.Store == secret.Manager
}
