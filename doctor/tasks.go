package doctor

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/rollout"
	"slipway/rollout/ecs"
	"slipway/rollout/secret/stored"
	"slipway/rollout/task"
	"slipway/stack/outputs"
)

// taskUse is a task definition that a rollout would deploy, or one that runs.
type taskUse struct {
	// Subject is the ECS service, or the family of a one-off task.
	Subject string
	Input   task.Input
	// Built are the images of the project in the task, by container.
	Built map[string]project.Component
}

// foundTasks are the task definitions of the project, and the stacks and secrets around
// them.
type foundTasks struct {
	uses   []taskUse
	stacks []foundStack
}

// foundStack is a stack that the compose file names.
type foundStack struct {
	name    string
	outputs outputs.Outputs
	err     error
	// lacking are the outputs that it does not have, with their readers.
	lacking []error
}

// findTasks derives the task definitions of the compose file, and reads those of the ECS
// services that it has no settings or no stack for.
func (d *doctor) findTasks(ctx context.Context) (foundTasks, error) {
	var out foundTasks
	c, err := d.cloud()
	if err != nil {
		return out, err
	}
	states, err := d.secretStates()
	if err != nil {
		return out, err
	}
	secrets := map[string]string{}
	for _, s := range states {
		secrets[s.Key] = s.ARN
	}
	derived := map[string]bool{}
	for _, f := range d.plan.TaskFiles {
		for _, definition := range f.Definitions {
			if definition.Stack == "" {
				continue
			}
			found := out.stack(ctx, c, definition.Stack)
			around, err := found.outputs.Surroundings()
			around.Secrets = secrets
			if found.err == nil {
				found.addLacking(definition, err)
			}
			use := taskUse{Subject: project.ServiceRef(definition.ECS).String(), Input: definition.In(around).Input, Built: map[string]project.Component{}}
			if definition.Before != "" {
				use.Subject = definition.Input.Family
			} else {
				derived[use.Subject] = true
			}
			for i, c := range definition.Input.Containers {
				if component, ok := d.plan.ComponentOf(definition.Services[i]); ok {
					use.Built[c.Name] = component
				}
			}
			out.uses = append(out.uses, use)
		}
	}
	return out, d.addRunning(ctx, c, &out, derived)
}

// stack returns a stack, which is read once.
func (t *foundTasks) stack(ctx context.Context, c *awsclient.Clients, name string) *foundStack {
	i := slices.IndexFunc(t.stacks, func(s foundStack) bool { return s.name == name })
	if i < 0 {
		read, err := outputs.Read(ctx, cloudformation.NewFromConfig(c.Config), name)
		i, t.stacks = len(t.stacks), append(t.stacks, foundStack{name: name, outputs: read, err: err})
	}
	return &t.stacks[i]
}

// addLacking notes the outputs that a task definition reads and the stack does not have.
func (s *foundStack) addLacking(d task.Definition, missing error) {
	if missing != nil && len(s.lacking) == 0 {
		s.lacking = append(s.lacking, missing)
	}
	for i, c := range d.Input.Containers {
		for _, v := range c.Environment {
			if output := d.Outputs[c.Name][v.Name]; output != "" && s.outputs.Values[output] == "" {
				s.lacking = append(s.lacking, fault.NewInput("services."+d.Services[i]+".x-slipway.outputs."+v.Name,
					"stack "+s.name+" has no output "+output, "correct the name, or add the output to the stack's template"))
			}
		}
	}
}

// addRunning adds the task definitions that run, of the ECS services that are not derived.
func (d *doctor) addRunning(ctx context.Context, c *awsclient.Clients, out *foundTasks, derived map[string]bool) error {
	for _, st := range rollout.NewServices(d.plan.ECS, true).List {
		if derived[st.Ref.String()] {
			continue
		}
		services, err := rollout.ReadServices(ctx, c, []ecs.Ref{st.Ref})
		if err != nil {
			continue // the check of the service says why
		}
		use := taskUse{Subject: st.Ref.String(), Built: map[string]project.Component{}}
		text, err := json.Marshal(services[0].Definition.Fields)
		if err == nil {
			err = json.Unmarshal(text, &use.Input)
		}
		if err != nil {
			return err
		}
		for container, ref := range st.Containers {
			for _, component := range d.plan.Components {
				if component.Ref == ref {
					use.Built[container] = component
				}
			}
		}
		out.uses = append(out.uses, use)
	}
	return nil
}

// readSecrets describes the secrets that the containers read.
func (d *doctor) readSecrets(ctx context.Context) ([]stored.State, error) {
	c, err := d.cloud()
	if err != nil || len(d.plan.Secrets) == 0 {
		return nil, err
	}
	return stored.Read(ctx, c, d.plan.Secrets), nil
}

// checkStacks looks whether the stacks have what the task definitions read from them.
func (d *doctor) checkStacks(context.Context) []Finding {
	found, err := d.tasks()
	if err != nil {
		return []Finding{broken(err)}
	}
	var out []Finding
	for _, s := range found.stacks {
		switch {
		case s.err != nil && awsclient.Denied(s.err):
			out = append(out, Unchecked("allow cloudformation:DescribeStacks on it", "%v", s.err).of(s.name))
		case s.err != nil:
			out = append(out, d.onECS(broken(s.err)).of(s.name))
		case len(s.lacking) == 0:
			out = append(out, Fine("has the outputs that the task definitions read").of(s.name))
		}
		for _, err := range s.lacking {
			out = append(out, d.onECS(broken(err)).of(s.name))
		}
	}
	return out
}
