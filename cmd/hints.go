package cmd

import (
	"slipway/internal/awsclient"
	"slipway/internal/fault"
)

// hintOf returns the hint of an error: its own, else one for its type. Hints that
// name commands and flags are written here: the stages do not know the command
// line.
func hintOf(err error) string {
	hint := fault.HintOf(err, clientHint, registryHint, ecsHint, buildHint, rolloutHint, artifactHint)
	if hint == "" && awsclient.KindOf(err) == fault.AWS {
		return awsHint(err)
	}
	return hint
}
