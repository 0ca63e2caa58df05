package rollout

import (
	"strings"

	"slipway/rollout/ecs"
)

// Flags are the flags that name the services, where they were given: for commands that
// are told to be typed next.
func (s *Services) Flags() string {
	if !s.FromFlags {
		return ""
	}
	return Flags(s.Refs()...)
}

// Flags are the flags that name services of one cluster.
func Flags(refs ...ecs.Ref) string {
	var out strings.Builder
	if cluster := refs[0].Cluster; cluster != "" {
		out.WriteString(" --cluster " + cluster)
	}
	for _, ref := range refs {
		out.WriteString(" --ecs-service " + ref.Service)
	}
	return out.String()
}

// ContinueCommand and AbortCommand are the commands that answer a paused deployment of an
// ECS service, from any directory.
func ContinueCommand(ref ecs.Ref) string { return "slipway rollout --continue" + Flags(ref) }

func AbortCommand(ref ecs.Ref) string { return "slipway rollout --abort" + Flags(ref) }
