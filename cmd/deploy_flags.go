package cmd

import (
	"github.com/spf13/pflag"

	"slipway/rollout"
)

// addDeployFlags adds the flags of every command that deploys.
func addDeployFlags(f *pflag.FlagSet, o *rollout.Options) {
	f.DurationVar(&o.Timeout, "timeout", 0, "how long a deployment may make no progress before it is stopped (default 15m)")
	f.BoolVar(&o.NoWait, "no-wait", false, "start the deployments and do not follow them: nothing is verified")
	f.BoolVar(&o.RollbackOnFailure, "rollback-on-failure", false, "deploy what ran before if ECS does not roll a failed deployment back")
}
