package rollout

import (
	"context"
	"fmt"
	"slices"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/fault"
	"slipway/rollout/earlier"
	"slipway/rollout/ecs"
)

// findEarlier finds the task definitions to which a rollback returns services, so that old
// images do not meet new settings. Services that are left alone are not looked at.
func (d *job) findEarlier(ctx context.Context) error {
	if !d.options.Return {
		return nil
	}
	changes, err := Decide(d.services, d.target, d.options.Exact)
	if err != nil {
		return err
	}
	found := make([]*ecs.Settings, len(changes))
	kept := make([]string, len(changes))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(MaxCalls)
	for i, c := range changes {
		if c.Action == ecs.Leave {
			continue
		}
		g.Go(func() (err error) {
			found[i], kept[i], err = d.earlierOf(gctx, d.services.List[i], c)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fault.As(fault.AWS, err)
	}
	d.services.restore = map[ecs.Ref]ecs.Settings{}
	for i, c := range changes {
		switch ref := c.Service.Ref; {
		case found[i] != nil:
			d.services.restore[ref] = *found[i]
		case kept[i] != "" && earlier.Written(c.Service.Definition):
			d.warn(RunningSettings, nil, "%s: the images get the running settings: %s", ref, kept[i])
		}
	}
	return nil
}

// earlierOf returns the task definition to which a service returns, or why it keeps the
// running settings.
func (d *job) earlierOf(ctx context.Context, st *Service, c ecs.Change) (*ecs.Settings, string, error) {
	switch {
	case st.State.Controller != ecstypes.DeploymentControllerTypeEcs:
		return nil, fmt.Sprintf("ECS keeps no history of a service that %s deploys", st.State.Controller), nil
	case d.services.Only.Given() && len(c.Wants) < len(st.State.Containers):
		return nil, "the flags name some of its containers alone", nil
	}
	definition, ok, err := earlier.Find(ctx, d.aws.ECS(), st.State, st.past, c.Wants)
	switch {
	case ecs.HistoryUnavailable(err):
		return nil, fmt.Sprintf("its earlier deployments cannot be read: %v", err), nil
	case err != nil:
		return nil, "", fmt.Errorf("reading the deployments of ECS service %s: %w", st.Ref, err)
	case !ok:
		return nil, "no earlier deployment of these images is known whose settings slipway wrote", nil
	}
	own := earlier.Containers(definition)
	others := slices.DeleteFunc(containerNames(st.State), func(name string) bool { return slices.Contains(own, name) })
	return &ecs.Settings{Definition: definition, Earlier: true, Others: others}, "", nil
}

func containerNames(s ecs.Service) []string {
	var out []string
	for _, c := range s.Containers {
		out = append(out, c.Name)
	}
	return out
}
