package cmd

import (
	"slipway/cmd/hint"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
)

// nextCommand returns the command to type next: that of the diagnosis, else the
// one of Slipway that shows the other revisions or the service's status.
func nextCommand(d diagnose.Diagnosis) string {
	flags := hint.Flags(ecs.Ref{Cluster: d.Cluster, Service: d.Service})
	switch {
	case d.Next != "":
		return d.Next
	case d.MissingImage:
		return "slipway revisions" + flags
	default:
		return "slipway status" + flags
	}
}
