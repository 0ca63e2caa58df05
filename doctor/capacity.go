package doctor

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway/internal/awsclient"
	"slipway/internal/shell"
	"slipway/rollout/ecs"
)

const checkCapacity = "capacity"

// checkProviders reports the capacity provider strategy of a service; nothing for a
// service with a launch type. ECS alone knows whether there is room for a task.
func checkProviders(ctx context.Context, c *awsclient.Clients, s ecs.Service) []Finding {
	var names []string
	for _, item := range s.Raw.CapacityProviderStrategy {
		names = append(names, aws.ToString(item.CapacityProvider))
	}
	if len(names) == 0 {
		return nil
	}
	problems, err := ecs.ProviderProblems(ctx, c.ECS(), s)
	if err != nil && awsclient.Denied(err) {
		return capacityFindings(Unchecked("allow ecs:DescribeCapacityProviders", "denied: ecs:DescribeCapacityProviders"))
	}
	if err != nil {
		return capacityFindings(broken(err).Softened())
	}
	var out []Finding
	for _, name := range slices.Sorted(maps.Keys(problems)) {
		out = append(out, Warned("aws ecs describe-capacity-providers --capacity-providers "+shell.Word(name)+" shows it",
			"capacity provider %s of the service %s: it may start no instance for new tasks", name, problems[name]))
	}
	switch {
	case len(out) > 0:
	case slices.Equal(names, []string{"FARGATE_SPOT"}):
		out = append(out, Fine("FARGATE_SPOT alone: tasks find no room while Fargate Spot has none"))
	default:
		out = append(out, Fine("%s", strings.Join(names, ", ")))
	}
	return capacityFindings(out...)
}

func capacityFindings(list ...Finding) []Finding {
	for i := range list {
		list[i].Check = checkCapacity
	}
	return list
}
