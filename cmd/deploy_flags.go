package cmd

import (
	"fmt"

	"github.com/spf13/pflag"

	"slipway/internal/fault"
	"slipway/rollout"
)

// addDeployFlags adds the flags of every command that deploys.
func addDeployFlags(f *pflag.FlagSet, o *rollout.Options) {
	f.DurationVar(&o.Timeout, "timeout", 0, "how long a deployment may make no progress before it is stopped (default 15m)")
	f.BoolVar(&o.NoWait, "no-wait", false, "start the deployments and do not follow them: nothing is verified")
}

// addTagFlags adds the flag of the commands that can deploy without moving tags.
func addTagFlags(f *pflag.FlagSet, o *rollout.Options) {
	f.BoolVar(&o.NoLatest, "no-latest", false, "move no tag: write the images into the task definitions")
}

// checkDeploy refuses a time limit that is none.
func checkDeploy(o rollout.Options) error {
	if o.Timeout < 0 {
		return fault.New(fault.Usage, fmt.Errorf("--timeout: want a positive duration, have %s", o.Timeout), "leave the flag out for 15m")
	}
	return nil
}
