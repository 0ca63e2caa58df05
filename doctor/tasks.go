package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway/internal/awsclient"
	"slipway/project"
	"slipway/rollout/ecs"
	"slipway/rollout/secret/stored"
	"slipway/rollout/task"
	"slipway/stack"
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
	uses    []taskUse
	stacks  []foundStack
	targets []targetGroup
}

// foundStack is a stack that the compose file names.
type foundStack struct {
	name    string
	outputs outputs.Outputs
	err     error
	// lacking name the outputs that it does not have.
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
	derived := map[string]task.Definition{}
	for _, f := range d.plan.TaskFiles {
		for _, definition := range f.Definitions {
			if definition.Stack == "" {
				continue
			}
			found := out.stack(ctx, c, definition.Stack)
			around, err := found.outputs.Surroundings(definition)
			around.Secrets = secrets
			if found.err == nil {
				found.lacking = append(found.lacking, each(err)...)
			}
			use := taskUse{Subject: project.ServiceRef(definition.ECS).String(), Input: definition.In(around).Input, Built: map[string]project.Component{}}
			if definition.Before != "" {
				use.Subject = definition.Input.Family
			} else {
				derived[use.Subject] = definition
			}
			for i, c := range definition.Input.Containers {
				if component, ok := d.plan.ComponentOf(definition.Services[i]); ok {
					use.Built[c.Name] = component
				}
			}
			out.uses = append(out.uses, use)
		}
	}
	return out, d.addServices(&out, derived)
}

// stack returns a stack, which is read once.
func (t *foundTasks) stack(ctx context.Context, c *awsclient.Clients, name string) *foundStack {
	i := slices.IndexFunc(t.stacks, func(s foundStack) bool { return s.name == name })
	if i < 0 {
		read, err := outputs.Read(ctx, c.CloudFormation(), name)
		i, t.stacks = len(t.stacks), append(t.stacks, foundStack{name: name, outputs: read, err: err})
	}
	return &t.stacks[i]
}

// each returns the errors that are joined in one, none for nil.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// addServices adds the task definitions that run, of the ECS services that are not derived,
// and the target groups of all. One that does not exist yet gets that of its stack.
func (d *doctor) addServices(out *foundTasks, derived map[string]task.Definition) error {
	services, err := d.services()
	if err != nil {
		return err
	}
	for _, read := range services {
		definition, ok := derived[read.Ref.String()]
		use := taskUse{Subject: read.Ref.String(), Input: definition.Input, Built: map[string]project.Component{}}
		if read.err != nil {
			out.addFirst(read, definition) // else the check of the service says why
			continue
		}
		if !ok {
			if err := readInput(read.state.Definition, &use.Input); err != nil {
				return err
			}
			for container, ref := range read.Containers {
				for _, component := range d.plan.Components {
					if component.Ref == ref {
						use.Built[container] = component
					}
				}
			}
			out.uses = append(out.uses, use)
		}
		for _, lb := range read.state.Raw.LoadBalancers {
			if lb.TargetGroupArn != nil {
				entry := task.Entry{Container: aws.ToString(lb.ContainerName), Port: int(aws.ToInt32(lb.ContainerPort))}
				out.targets = append(out.targets, targetGroup{use.Subject, *lb.TargetGroupArn, entry, stack.HealthPath(use.Input, entry)})
			}
		}
	}
	return nil
}

// addFirst adds the target group of a service that does not exist yet.
func (t *foundTasks) addFirst(read readService, d task.Definition) {
	i := slices.IndexFunc(t.stacks, func(s foundStack) bool { return s.name == d.Stack && s.err == nil })
	var missing *ecs.MissingError
	if i < 0 || d.Entry == nil || !errors.As(read.err, &missing) {
		return
	}
	if at, err := t.stacks[i].outputs.Endpoint(read.Ref.Service); err == nil && at.TargetGroup != "" {
		t.targets = append(t.targets, targetGroup{read.Ref.String(), at.TargetGroup, *d.Entry, stack.HealthPath(d.Input, *d.Entry)})
	}
}

// readInput reads a task definition as the compose file's are written.
func readInput(d ecs.Definition, in *task.Input) error {
	text, err := json.Marshal(d.Fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, in)
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
