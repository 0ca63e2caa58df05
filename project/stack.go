package project

import (
	"context"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/allow"
	"slipway/project/compose"
	"slipway/rollout/task"
	"slipway/stack"
)

// StackProject reads the project as the templates of stacks see it, without a request.
func StackProject(ctx context.Context, w *Host, o Options) (stack.Project, error) {
	var out stack.Project
	_, err := Load(ctx, w, o, func(composed *types.Project, wanted *allow.Wanted) error {
		out = stack.Project{Name: composed.Name}
		settings, err := compose.ReadSettings(composed)
		if err != nil {
			return err
		}
		if settings.Task != nil {
			out.Stack = settings.Task.Stack
		}
		services, err := BuiltServices(composed, w.LookupEnv)
		if err != nil {
			return err
		}
		refs := map[string]string{}
		for _, s := range services {
			out.Repositories = append(out.Repositories, s.Ref.Name)
			refs[s.Target.Service] = likelyURI(s.Ref) + ":HASH"
		}
		// The warnings are those of `slipway task`, and of no use here.
		out.Definitions, _, err = DeriveTasks(ctx, composed, refs, task.Surroundings{}, wanted)
		return err
	})
	return out, err
}
