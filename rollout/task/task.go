// Package task derives ECS task definitions from a compose project. It is pure: the
// same project gives the same definitions, and it reads neither files nor AWS.
//
// A key of the compose file is carried, changed with one warning, or refused by its
// name. docs/task-definition.md has the whole mapping.
package task

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/awsname"
	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/project/compose"
)

// Definition is a task definition that a compose project describes.
type Definition struct {
	// ECS is the ECS service that runs the task. A one-off task has its network and its
	// launch settings. It is zero where the compose file names none.
	ECS compose.ECS `json:"ecs"`
	// Before is the service of a one-off task that runs before a rollout; empty for the
	// task of an ECS service.
	Before string `json:"before,omitempty"`
	// Services are the services of the containers, in the order of Input.Containers.
	Services []string `json:"services"`
	// Entry is the port that receives requests; nil if no container has a port.
	Entry *Entry `json:"entry,omitempty"`
	// Create are the settings of the ECS service, for its creation only.
	Create Create `json:"create,omitzero"`
	// Built are the containers whose images the project builds.
	Built []string `json:"built,omitempty"`
	// Keep are the variables that others add to a container, by its name.
	Keep map[string][]string `json:"keep,omitempty"`
	// Stack is the stack whose outputs are the surroundings; empty if none is named.
	Stack string `json:"stack,omitempty"`
	// Outputs are the outputs that give the values of variables, and Secrets the names in
	// the compose file of the project's own secrets: by container and variable.
	Outputs map[string]map[string]string `json:"outputs,omitempty"`
	Secrets map[string]map[string]string `json:"secrets,omitempty"`
	// Versions are the ids of the versions of secrets that new tasks get, by the values of
	// valueFrom. It is empty until the definition is in its surroundings.
	Versions map[string]string `json:"-"`
	// Input registers the definition.
	Input Input `json:"input"`
}

// Entry is a port of a container.
type Entry struct {
	Container string `json:"container"`
	Port      int    `json:"port"`
}

// Image is the image of a service that runs an image of the project: with a build section,
// or one of another service.
type Image struct {
	// Ref is the reference in the task definition.
	Ref string
	// Exposed are the ports that its Dockerfile exposes, such as 8080/tcp.
	Exposed []string
}

// Warning says that a key of the compose file is not carried as it is.
type Warning struct {
	// Where is the field, such as services.web.hostname.
	Where string
	// Text has the event and the remedy, as the rest of a sentence about the field.
	Text string
}

// String returns the warning as a sentence.
func (w Warning) String() string { return plain.Text(w.Where) + " " + w.Text }

// Derive returns the task definitions of a project: one for each ECS service, and one
// for each one-off task. The project is as compose.Deployed returns it; images are
// those that the project builds, by service. Errors are *fault.InputError that name the
// field.
func Derive(project *types.Project, images map[string]Image, around Surroundings) ([]Definition, []Warning, error) {
	settings, err := compose.ReadSettings(project)
	if err != nil {
		return nil, nil, err
	}
	d := &deriver{project: project, images: images, ecs: settings.ECS, task: compose.Task{}}
	if settings.Task != nil {
		d.task = *settings.Task
	}
	groups, err := d.groups()
	if err != nil {
		return nil, nil, err
	}
	d.warnAmazon("", reflect.ValueOf(project))
	var out []Definition
	for _, g := range groups {
		definition, err := d.define(g)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, definition.In(around))
	}
	return out, d.warnings, checkFamilies(out)
}

type deriver struct {
	project *types.Project
	images  map[string]Image
	// ecs is the ECS service of the services that name none.
	ecs      compose.ECS
	task     compose.Task
	warnings []Warning
}

func (d *deriver) warn(where, format string, args ...any) {
	d.warnings = append(d.warnings, Warning{where, plain.Sprintf(format, args...)})
}

// group are the services whose containers are one task.
type group struct {
	ecs      compose.ECS
	before   string
	services []*unit
}

// unit is a service and its container.
type unit struct {
	types.ServiceConfig
	settings compose.ServiceSettings
	// out is the container.
	out Container
	// exposed reports that the ports come from EXPOSE.
	exposed bool
	// built reports that the project builds the image.
	built bool
	// ownSecrets are the project's own secrets by the variables that they are.
	ownSecrets map[string]string
}

// groups sorts the services by name into tasks. One-off tasks come last.
func (d *deriver) groups() ([]*group, error) {
	byECS := map[compose.ECS]*group{}
	byName := map[string]*unit{}
	var out []*group
	for _, name := range slices.Sorted(maps.Keys(d.project.Services)) {
		u := &unit{ServiceConfig: d.project.Services[name]}
		var err error
		if u.settings, err = compose.ReadServiceSettings(u.ServiceConfig); err != nil {
			return nil, err
		}
		byName[name] = u
		if u.settings.Undeployed || u.settings.Local.All || slices.Contains(d.task.Before, name) {
			continue
		}
		ecs := cmp.Or(u.settings.ECS, d.ecs)
		if byECS[ecs] == nil {
			byECS[ecs] = &group{ecs: ecs}
			out = append(out, byECS[ecs])
		}
		byECS[ecs].services = append(byECS[ecs].services, u)
	}
	if none := byECS[compose.ECS{}]; none != nil && len(out) > 1 {
		return nil, fault.NewInput("services."+none.services[0].Name, "has no ECS service, as other services have",
			"name it with x-slipway.ecs, or write x-slipway: {local: true} if only docker compose runs it")
	}
	if err := d.checkEntries(byName); err != nil {
		return nil, err
	}
	for _, name := range d.task.Before {
		u := byName[name]
		if u == nil {
			return nil, d.unknown("x-slipway.task.before", name)
		}
		out = append(out, &group{ecs: cmp.Or(u.settings.ECS, d.ecs), before: name, services: []*unit{u}})
	}
	return out, nil
}

// unknown is the error for a setting that names a service that is not there.
func (d *deriver) unknown(where, service string) error {
	remedy := "name a service of the compose file"
	if s, ok := d.project.DisabledServices[service]; ok && len(s.Profiles) > 0 {
		remedy = "it is behind a profile: set COMPOSE_PROFILES=" + s.Profiles[0]
	}
	return fault.NewInput(where, fmt.Sprintf("there is no active service %q", service), remedy)
}

// define derives the definition of one task.
func (d *deriver) define(g *group) (Definition, error) {
	out := Definition{ECS: g.ecs, Before: g.before, Stack: d.task.Stack}
	for _, u := range g.services {
		if err := (&translator{deriver: d, unit: u, group: g}).translate(); err != nil {
			return out, err
		}
		out.Services = append(out.Services, u.Name)
		u.record(&out)
	}
	for _, step := range []func(*group, *Definition) error{
		d.checkNames, d.ports, d.depend, d.localHosts, d.size, d.platform, d.volumes, d.entry, d.create, d.complete,
	} {
		if err := step(g, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// record adds the settings of a container that are not in its definition.
func (u *unit) record(d *Definition) {
	if u.built {
		d.Built = append(d.Built, u.out.Name)
	}
	put(&d.Keep, u.out.Name, u.settings.Keep, len(u.settings.Keep))
	put(&d.Outputs, u.out.Name, u.settings.Outputs, len(u.settings.Outputs))
	put(&d.Secrets, u.out.Name, u.ownSecrets, len(u.ownSecrets))
}

// put adds a value to a map, which may be nil, unless the value is empty.
func put[V any](to *map[string]V, key string, value V, size int) {
	if size == 0 {
		return
	}
	if *to == nil {
		*to = map[string]V{}
	}
	(*to)[key] = value
}

// maxContainers is the quota "Containers in a task definition" ("Amazon ECS service
// quotas" in the ECS developer guide).
const maxContainers = 10

// checkNames refuses two containers of one name, and more containers than a task has.
func (d *deriver) checkNames(g *group, _ *Definition) error {
	seen := map[string]string{}
	for i, u := range g.services {
		if other, ok := seen[u.out.Name]; ok {
			return fault.NewInput("services."+u.Name, fmt.Sprintf("its container is called %q, like that of service %s in the same task", u.out.Name, other),
				"give one of them another name with x-slipway.container")
		}
		if seen[u.out.Name] = u.Name; i == maxContainers {
			return fault.NewInput("services."+u.Name, fmt.Sprintf("is one container too many: a task has at most %d", maxContainers),
				"run some services in an ECS service of their own with x-slipway.ecs, or write x-slipway: {local: true}")
		}
	}
	return nil
}

// maxDefinition is the quota "Task definition size" in bytes ("Amazon ECS service
// quotas" in the ECS developer guide).
const maxDefinition = 64 << 10

// complete adds the fields that do not depend on the containers.
func (d *deriver) complete(g *group, out *Definition) error {
	out.Input.Family = d.family(g)
	out.Input.NetworkMode, out.Input.RequiresCompatibilities = "awsvpc", []string{"FARGATE"}
	out.Input.ExecutionRoleARN, out.Input.TaskRoleARN = executionRole, taskRole
	for _, u := range g.services {
		out.Input.Containers = append(out.Input.Containers, u.out)
	}
	text, err := JSON(out.Input)
	if err == nil && len(text) > maxDefinition {
		err = fault.NewInput("services."+g.services[0].Name, fmt.Sprintf("its task definition has %d bytes, more than ECS's limit of %d", len(text), maxDefinition),
			"use fewer or shorter variables and labels")
	}
	return err
}

// family returns the family of a task definition: the project's name, with that of the
// ECS service or the one-off task where it differs.
func (d *deriver) family(g *group) string {
	if g.before != "" {
		return BeforeFamily(d.project.Name, g.before)
	}
	name := awsname.LastPart(g.ecs.Service)
	if name == "" || name == d.project.Name {
		return d.project.Name
	}
	return familyOf(d.project.Name, name)
}

// BeforeFamily returns the family of the task definition of a one-off task.
func BeforeFamily(project, service string) string { return familyOf(project, service) }

func familyOf(project, name string) string {
	return project + "-" + strings.ReplaceAll(name, ".", "-")
}

// checkFamilies refuses two definitions of one family, and families that ECS refuses.
func checkFamilies(all []Definition) error {
	seen := map[string]bool{}
	for _, x := range all {
		family := x.Input.Family
		if err := awsname.CheckContainer(family); err != nil { // the same letters
			return fault.NewInput("name", fmt.Sprintf("%q is not a family of task definitions", family), "use a shorter name for the project or the service")
		}
		if seen[family] {
			return fault.NewInput("services."+x.Services[0], fmt.Sprintf("two task definitions would have the family %q", family),
				"give the ECS service or the service in x-slipway.task.before another name")
		}
		seen[family] = true
	}
	return nil
}
