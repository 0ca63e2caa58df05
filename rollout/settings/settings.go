// Package settings compares the settings that a compose file gives its tasks with those
// that its ECS services run.
package settings

import (
	"context"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/rollout/ecs"
	"slipway/rollout/task"
	"slipway/rollout/task/diff"
)

// Difference is the difference between the settings of a compose file and those of an
// ECS service.
type Difference struct {
	Service ecs.Ref
	// Running is the task definition of the service.
	Running ecs.Definition
	diff.Result
}

// Read compares task definitions with those that their ECS services will run now. It
// leaves out one-off tasks, which no service runs. It takes one call for each ten
// services of a cluster, and one for each service.
func Read(ctx context.Context, clients *awsclient.Clients, definitions []task.Definition) ([]Difference, error) {
	var refs []ecs.Ref
	var compared []task.Definition
	for _, d := range definitions {
		if d.Before == "" && d.ECS.Service != "" {
			refs, compared = append(refs, project.ServiceRef(d.ECS)), append(compared, d)
		}
	}
	if len(refs) == 0 {
		return nil, fault.NewInput("x-slipway.ecs", "names no ECS service, so there is no running task definition", "add ecs: {cluster: NAME, service: NAME}")
	}
	running, err := ecs.ReadDefinitions(ctx, clients.ECS(), refs)
	if err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	var out []Difference
	for i, d := range compared {
		found, err := Compare(refs[i], running[i], d)
		if err != nil {
			return nil, err
		}
		out = append(out, found)
	}
	return out, nil
}

// Compare compares a task definition with that of an ECS service. It makes no request.
func Compare(ref ecs.Ref, running ecs.Definition, d task.Definition) (Difference, error) {
	found, err := diff.Compare(d, diff.Running{Fields: running.Fields, Tags: running.Tags})
	return Difference{ref, running, found}, err
}
