// Package diff compares a task definition that package task derives with one that ECS
// returned, and merges the two. It is pure.
//
// The compose file owns the fields that it has words for, in its own containers. All
// other fields stay, those that this version does not know included.
package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/rollout/task"
)

// Running is a task definition as ECS returned it.
type Running struct {
	// Fields is the object taskDefinition of the answer, numbers as json.Number.
	Fields map[string]any
	// Tags is the list of its tags.
	Tags []any
}

// Change is a difference of one field.
type Change struct {
	// Container is the container's name; empty for a field of the task.
	Container string `json:"container,omitempty"`
	// Field is the key of the field in ECS's API, with the name of the part that
	// differs: environment.LOG_LEVEL. It is empty for a whole container.
	Field string `json:"field"`
	// Old and New are the values in JSON; nil where there is none.
	Old any `json:"old,omitempty"`
	New any `json:"new,omitempty"`
	// Rotated reports that the variable has the same secret, which has a new version.
	Rotated bool `json:"rotated,omitempty"`
}

// Where returns the field with its container, such as web.environment.LOG_LEVEL, or
// container web for a whole one.
func (c Change) Where() string {
	switch {
	case c.Rotated:
		return c.Container + "." + c.Field + " (new version)"
	case c.Field == "":
		return "container " + c.Container
	case c.Container == "":
		return c.Field
	}
	return c.Container + "." + c.Field
}

// Name returns the name of the variable, the label or the option that differs; empty for
// any other field.
func (c Change) Name() string {
	for _, list := range []string{"environment.", "dockerLabels.", "logConfiguration.options."} {
		if name, ok := strings.CutPrefix(c.Field, list); ok {
			return name
		}
	}
	return ""
}

// Result is the difference of two definitions, and the definition to register.
type Result struct {
	// Fields and Tags are those of the running definition with the settings of the
	// derived one.
	Fields map[string]any
	Tags   []any
	// Changes are the differences in the settings, those of the task first, then by
	// container in the order of Fields. Rotated secrets come last.
	Changes []Change
	// Written is how far the tags prove that Slipway wrote the running definition.
	Written Written
	// Unknown are the values that neither the surroundings nor the running definition
	// know. A definition with any of them cannot be registered.
	Unknown []task.Place
}

// Compare returns the difference between a derived definition and the running one. Images
// that the project builds are not compared. Values that stand for unknown surroundings are
// taken from the running definition.
func Compare(derived task.Definition, running Running) (Result, error) {
	have := names(running.Fields)
	filled, unknown := derived.Fill(finder{running.Fields}.find)
	out := Result{Written: running.written(derived.Keep)}
	for _, p := range unknown {
		if p.Container != "" {
			out.Unknown = append(out.Unknown, p)
		}
	}
	want, err := asJSON(filled.Input)
	if err != nil {
		return Result{}, fmt.Errorf("writing task definition %s as JSON: %w", derived.Input.Family, err)
	}
	for _, p := range unknown {
		if p.Container == "" {
			delete(want, p.Field)
		}
	}
	m := merger{want: want, have: running.Fields, built: derived.Built, keep: derived.Keep, owned: names(want)}
	m.removed = slices.DeleteFunc(running.Containers(), func(name string) bool {
		return slices.Contains(m.owned, name) || !slices.Contains(have, name)
	})
	out.Fields, out.Changes = m.merge()
	var current versions
	out.Changes, current = running.rotate(filled, out.Changes)
	out.Tags = current.tagged(tagged(running.Tags, out.Fields, m.owned, derived.Keep))
	return out, nil
}

// merger merges two definitions.
type merger struct {
	want, have object
	built      []string
	keep       map[string][]string
	// owned are the containers of the compose file, removed those that left it.
	owned, removed []string
}

func (m merger) merge() (object, []Change) {
	out := maps.Clone(m.have)
	if out == nil {
		out = object{}
	}
	containers, changes := m.containers()
	out["containerDefinitions"] = containers
	s := &scope{foreignVolumes: m.foreignVolumes(containers)}
	rules := maps.Clone(taskRules)
	for _, role := range []string{"executionRoleArn", "taskRoleArn"} {
		if m.want[role] != nil {
			rules[role] = value
		}
	}
	return rules.mergeFields(s, "", out, m.want), append(s.changes, changes...)
}

// containers merges the containers: others stay in their place, new ones come last.
func (m merger) containers() ([]any, []Change) {
	list, _ := m.have["containerDefinitions"].([]any)
	wanted := map[string]object{}
	for _, c := range objects(m.want["containerDefinitions"]) {
		wanted[text(c, "name")] = c
	}
	var out []any
	var changes []Change
	done := map[string]bool{}
	for _, item := range list {
		c, _ := item.(object)
		name := text(c, "name")
		switch {
		case wanted[name] != nil && !done[name]:
			s := m.scope(name)
			out = append(out, m.rules(name).mergeFields(s, "", m.withoutTaken(s, c, wanted[name]), wanted[name]))
			changes = append(changes, s.changes...)
		case slices.Contains(m.removed, name):
			changes = append(changes, Change{Container: name, Old: c})
		default:
			out = append(out, m.withoutRemoved(item))
		}
		done[name] = true
	}
	for _, name := range m.owned {
		if !done[name] {
			changes = append(changes, Change{Container: name, New: wanted[name]})
			out = append(out, wanted[name])
		}
	}
	return out, changes
}

// rules are those of a container.
func (m merger) rules(name string) fields {
	if slices.Contains(m.built, name) {
		return containerRules
	}
	rules := maps.Clone(containerRules)
	rules["image"] = value
	return rules
}

// scope is that of a container of the compose file.
func (m merger) scope(container string) *scope {
	s := &scope{container: container, keep: m.keep[container], foreign: map[string]bool{}, foreignVolumes: map[string]bool{}, samePort: samePort(m.have)}
	ours := map[string]bool{}
	for _, v := range objects(m.want["volumes"]) {
		ours[text(v, "name")] = true
	}
	for _, c := range objects(m.have["containerDefinitions"]) {
		if name := text(c, "name"); !m.ours(name) {
			s.foreign[name] = true
			for _, mount := range objects(c["mountPoints"]) {
				if v := text(mount, "sourceVolume"); !ours[v] {
					s.foreignVolumes[v] = true
				}
			}
		}
	}
	return s
}

// ours reports whether a container is or was one of the compose file.
func (m merger) ours(name string) bool {
	return slices.Contains(m.owned, name) || slices.Contains(m.removed, name)
}

// withoutTaken returns a container without the kept variables that the compose file has
// in the other of the two lists: ECS refuses a name in both.
func (m merger) withoutTaken(s *scope, have, want object) object {
	out := maps.Clone(have)
	for field, other := range map[string]string{"environment": "secrets", "secrets": "environment"} {
		taken := map[string]bool{}
		for _, v := range objects(want[other]) {
			taken[text(v, "name")] = s.keeps(text(v, "name"))
		}
		if list, ok := have[field].([]any); ok {
			out[field] = slices.DeleteFunc(slices.Clone(list), func(v any) bool { return taken[text(asObject(v), "name")] })
		}
	}
	return out
}

// withoutRemoved returns another container without what refers to removed containers.
func (m merger) withoutRemoved(item any) any {
	c, ok := item.(object)
	if !ok || len(m.removed) == 0 {
		return item
	}
	c = maps.Clone(c)
	for field, key := range map[string]string{"dependsOn": "containerName", "volumesFrom": "sourceContainer"} {
		if list, ok := c[field].([]any); ok {
			c[field] = slices.DeleteFunc(slices.Clone(list), func(v any) bool {
				return slices.Contains(m.removed, text(asObject(v), key))
			})
		}
	}
	return c
}

// foreignVolumes returns the volumes that are not the compose file's: those that it has
// not, unless only its containers mounted them and mount them no more.
func (m merger) foreignVolumes(merged []any) map[string]bool {
	mounted, wasOurs := map[string]bool{}, map[string]bool{}
	for _, item := range merged {
		for _, mount := range objects(asObject(item)["mountPoints"]) {
			mounted[text(mount, "sourceVolume")] = true
		}
	}
	for _, c := range objects(m.have["containerDefinitions"]) {
		for _, mount := range objects(c["mountPoints"]) {
			if v := text(mount, "sourceVolume"); m.ours(text(c, "name")) && !mounted[v] {
				wasOurs[v] = true
			}
		}
	}
	out := map[string]bool{}
	for _, v := range objects(m.have["volumes"]) {
		out[text(v, "name")] = !wasOurs[text(v, "name")]
	}
	return out
}

// samePort reports whether the port of the host is that of the container.
func samePort(fields object) bool {
	mode := text(fields, "networkMode")
	return mode == "awsvpc" || mode == "host"
}

// names are the names of the containers.
func names(fields object) []string {
	var out []string
	for _, c := range objects(fields["containerDefinitions"]) {
		out = append(out, text(c, "name"))
	}
	return out
}

// asJSON returns a value as an object of JSON, numbers as json.Number.
func asJSON(v any) (object, error) {
	data, err := task.JSON(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var out object
	return out, d.Decode(&out)
}

// Keep returns the patterns of x-slipway.keep, by container, that would let the removed
// variables stay.
func Keep(changes []Change) map[string][]string {
	out, stays := map[string][]string{}, map[string][]string{}
	for _, c := range changes {
		if _, name, ok := variable(c); ok && (c.New != nil || c.Rotated) {
			stays[c.Container] = append(stays[c.Container], name)
		}
	}
	for _, c := range changes {
		_, name, ok := variable(c)
		if !ok || c.New != nil || c.Rotated {
			continue
		}
		pattern := name
		if start, _, ok := strings.Cut(name, "_"); ok && start != "" && !slices.ContainsFunc(stays[c.Container], func(s string) bool { return strings.HasPrefix(s, start+"_") }) {
			pattern = start + "_*"
		}
		if !slices.Contains(out[c.Container], pattern) {
			out[c.Container] = append(out[c.Container], pattern)
		}
	}
	return out
}

// variable returns the list and the name of a variable that differs.
func variable(c Change) (list, name string, ok bool) {
	list, name, ok = strings.Cut(c.Field, ".")
	return list, name, ok && (list == "environment" || list == "secrets")
}
