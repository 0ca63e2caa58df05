// Package hint knows, for the errors of all packages, the command or the flag of
// Slipway that helps. The stages and flows do not know the command line.
package hint

import (
	"slipway/internal/awsclient"
	"slipway/internal/fault"
)

// Of returns the hint of an error: its own, else one for its type. It is empty if
// there is none.
func Of(err error) string {
	hint := fault.HintOf(err, clientHint, registryHint, ecsHint, buildHint, rolloutHint, artifactHint)
	if hint == "" && awsclient.KindOf(err) == fault.AWS {
		return awsHint(err)
	}
	return hint
}
