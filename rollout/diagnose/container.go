package diagnose

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// failedContainer returns the container that most likely made the task stop:
// one that ECS gives a reason for, else an essential one that exited by itself,
// else one that was killed or stopped with the task.
func (e Evidence) failedContainer(t types.Task) *types.Container {
	essential := map[string]bool{}
	for _, c := range e.Containers {
		essential[c.Name] = c.Essential
	}
	var best *types.Container
	most := -1
	for i, c := range t.Containers {
		matters, known := essential[aws.ToString(c.Name)]
		if points := failureScore(c, matters || !known); points > most {
			best, most = &t.Containers[i], points
		}
	}
	return best
}

func failureScore(c types.Container, essential bool) int {
	points := 0
	switch {
	case strings.Contains(aws.ToString(c.Reason), "Error"):
		points = 8
	case c.HealthStatus == types.HealthStatusUnhealthy:
		points = 6
	case c.ExitCode == nil:
	case *c.ExitCode == 137 || *c.ExitCode == 143:
		// SIGKILL and SIGTERM: how the others go when one made the task stop.
		points = 2
	case *c.ExitCode != 0:
		points = 6
	default:
		points = 4
	}
	if essential {
		points++
	}
	return points
}
