package hint

import (
	"strings"

	"slipway/internal/fault"
	"slipway/rollout/ecs"
)

// ComposeService is the hint for a missing ECS service where only the compose file names
// services.
const ComposeService = "correct x-slipway.ecs {cluster, service} in the compose file, or the region, which is --region's, AWS_REGION's or the profile's"

// ecsHint returns the hints for errors of rollout/ecs.
func ecsHint(err error) string {
	switch e := err.(type) {
	case *ecs.MissingError:
		return "name the service with --cluster and --ecs-service, or with x-slipway.ecs {cluster, service} in the compose file; the region is AWS_REGION's or the profile's"
	case *ecs.ContainerError:
		return "name the container as the task definition does, with container_name or x-slipway.container in the compose file"
	case *ecs.CountError:
		return "give the number of tasks to start with `--count`"
	case *ecs.DeployError:
		if strings.Contains(e.Err.Error(), "does not have an associated load balancer") {
			return "let a listener of the load balancer forward to it, as that of `slipway stack site-alb` does"
		}
		if hint := fault.HintOf(e.Err, ecsHint); hint != "" || !e.Started {
			return hint
		}
		return "run `slipway status` to see whether the deployment started; to deploy again does no harm"
	default:
		return ""
	}
}
