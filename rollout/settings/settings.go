// Package settings compares the settings that a compose file gives its tasks with those
// that its ECS services run.
package settings

import (
	"cmp"
	"context"

	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/rollout/create"
	"slipway/rollout/ecs"
	"slipway/rollout/surroundings"
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
	// Notes are the settings of the ECS service that differ. They are for its creation
	// only, and no difference of the task definition.
	Notes []string
}

// Read compares task definitions with those that their ECS services will run now. It
// leaves out one-off tasks, which no service runs. It takes one call for each ten
// services of a cluster and one for each service, and at the same time those of
// surroundings.Read. denied are the surroundings that the caller may not read: their
// values are taken from the running definitions.
func Read(ctx context.Context, clients *awsclient.Clients, definitions []task.Definition) (found []Difference, denied []surroundings.Denied, err error) {
	var refs []ecs.Ref
	var compared []task.Definition
	for _, d := range definitions {
		if d.Before == "" && d.ECS.Service != "" {
			refs, compared = append(refs, project.ServiceRef(d.ECS)), append(compared, d)
		}
	}
	if len(refs) == 0 {
		return nil, nil, fault.NewInput("x-slipway.ecs", "names no ECS service, so there is no running task definition", "add ecs: {cluster: NAME, service: NAME}")
	}
	var running []ecs.Service
	var g errgroup.Group
	g.Go(func() (err error) {
		running, err = ecs.ReadDefinitions(ctx, clients.ECS(), refs)
		return fault.As(fault.AWS, err)
	})
	around, err := surroundings.Read(ctx, clients, compared)
	if err := cmp.Or(g.Wait(), err); err != nil {
		return nil, nil, err
	}
	for i, d := range around.Definitions {
		difference, err := Compare(refs[i], running[i].Definition, d)
		if err != nil {
			return nil, nil, err
		}
		difference.Notes = create.Notes(d.Create, running[i].Raw)
		found = append(found, difference)
	}
	return found, around.Denied, nil
}

// Compare compares a task definition with that of an ECS service. It makes no request.
func Compare(ref ecs.Ref, running ecs.Definition, d task.Definition) (Difference, error) {
	found, err := diff.Compare(d, diff.Running{Fields: running.Fields, Tags: running.Tags})
	return Difference{Service: ref, Running: running, Result: found}, err
}
