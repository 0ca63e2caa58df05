package project

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/project/compose"
	"slipway/rollout/task"
)

// TaskFile is one taskdefinition.json: the task definitions of one ECS service, with
// those of its one-off tasks.
type TaskFile struct {
	Path        string
	Definitions []task.Definition
}

// addTasks derives the task definitions if the compose file owns them. Their images are
// not known yet.
func (p *Plan) addTasks(ctx context.Context, w *Host, o Options, composed *types.Project, wanted *allow.Wanted) error {
	if p.Settings.Task == nil {
		return nil
	}
	var err error
	if p.repositories, err = taskRepositories(composed, w); err != nil {
		return err
	}
	refs := map[string]string{}
	for service, ref := range p.repositories {
		refs[service] = likelyURI(ref) + ":HASH"
	}
	definitions, warnings, err := DeriveTasks(ctx, composed, refs, task.Surroundings{}, wanted)
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		p.Warnings = append(p.Warnings, warning.String())
	}
	return p.addTaskFiles(Absolute(w.Dir, o.DefinitionsDir), definitions)
}

// addTaskFiles groups task definitions by ECS service, as addFiles groups containers.
func (p *Plan) addTaskFiles(dir string, definitions []task.Definition) error {
	byECS, order := map[compose.ECS][]task.Definition{}, []compose.ECS{}
	for _, d := range definitions {
		if _, ok := byECS[d.ECS]; !ok {
			order = append(order, d.ECS)
		}
		byECS[d.ECS] = append(byECS[d.ECS], d)
	}
	for _, named := range order {
		name := "taskdefinition.json"
		if len(order) > 1 {
			name = "taskdefinition-" + ServiceRef(named).Service + ".json"
		}
		path := filepath.Join(dir, name)
		if slices.Contains(p.Outputs, path) {
			return fault.NewInput("x-slipway.ecs", fmt.Sprintf("two ECS services are called %q, in different clusters: their task definitions would share one file", named.Service), "build them as two projects")
		}
		p.TaskFiles = append(p.TaskFiles, TaskFile{path, byECS[named]})
		p.Outputs = append(p.Outputs, path)
	}
	return nil
}

// TaskDefinitions is the content of one file of task definitions.
func (p *Plan) TaskDefinitions(f TaskFile, image func(Component) string) ([]byte, error) {
	definitions := slices.Clone(f.Definitions)
	for i := range definitions {
		d := &definitions[i]
		d.Input.Containers = slices.Clone(d.Input.Containers)
		for j, service := range d.Services {
			if component, ok := p.ComponentOf(service); ok {
				d.Input.Containers[j].Image = image(component)
			}
		}
	}
	return task.JSON(definitions)
}

// ComponentOf returns the image of the project that a service runs on ECS. Only a plan
// with task definitions knows it.
func (p *Plan) ComponentOf(service string) (Component, bool) {
	ref, ok := p.repositories[service]
	i := slices.IndexFunc(p.Components, func(c Component) bool { return c.Ref == ref })
	if !ok || i < 0 {
		return Component{}, false
	}
	return p.Components[i], true
}

// roomForTasks is the most that the file of task definitions at path can take, 0 if
// there is none.
func (p *Plan) roomForTasks(path string) int {
	room := 0
	for _, f := range p.TaskFiles {
		if f.Path == path {
			text, err := p.TaskDefinitions(f, func(c Component) string { return likelyHost + c.Ref.Name })
			if err != nil {
				return 0
			}
			room = len(text)
			for _, d := range f.Definitions {
				room += len(d.Services) * maxEntry
			}
		}
	}
	return room
}
