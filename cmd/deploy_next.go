package cmd

import (
	"slipway/internal/shell"
	"slipway/rollout/diagnose"
)

// nextCommand returns the command to type next: that of the diagnosis, else the
// one of Slipway that shows the other revisions or the service's status.
func nextCommand(d diagnose.Diagnosis) string {
	flags := " --ecs-service " + shell.Word(d.Service)
	if d.Cluster != "" {
		flags = " --cluster " + shell.Word(d.Cluster) + flags
	}
	switch {
	case d.Next != "":
		return d.Next
	case d.MissingImage:
		return "slipway revisions" + flags
	default:
		return "slipway status" + flags
	}
}
