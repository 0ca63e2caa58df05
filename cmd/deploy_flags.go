package cmd

import (
	"fmt"

	"github.com/spf13/pflag"

	"slipway/internal/fault"
	"slipway/registry/admission"
	"slipway/rollout"
)

// addDeployFlags adds the flags of every command that deploys.
func addDeployFlags(f *pflag.FlagSet, o *rollout.Options) {
	f.DurationVar(&o.Timeout, "timeout", 0, "how long a deployment may make no progress before it is stopped (default 15m)")
	f.BoolVar(&o.NoWait, "no-wait", false, "start the deployments and do not follow them: nothing is verified")
	f.BoolVar(&o.RollbackOnFailure, "rollback-on-failure", false, "deploy the previous images if ECS does not roll a failed deployment back")
	f.Var((*levelValue)(&o.RequireScan), "require-scan", "deploy no image in which ECR's scan has found something of `LEVEL` or above")
	f.BoolVar(&o.RequireSignature, "require-signature", false, "deploy only images that ECR's managed signing has signed")
}

// addTagFlags adds the flag of the commands that can deploy without moving tags.
func addTagFlags(f *pflag.FlagSet, o *rollout.Options) {
	f.BoolVar(&o.NoLatest, "no-latest", false, "move no tag: write the images into the task definitions")
}

// addSettingsFlags adds the flags of the commands that deploy settings.
func addSettingsFlags(f *pflag.FlagSet, adopt, create *bool) {
	f.BoolVar(adopt, "adopt", false, "take over the settings of a task definition that something else wrote")
	f.BoolVar(create, "create-service", false, "create an ECS service that does not exist, from x-slipway.task and its stack")
}

// checkDeploy refuses a time limit that is none, and options that exclude each other.
func checkDeploy(o rollout.Options) error {
	if o.Timeout < 0 {
		return fault.New(fault.Usage, fmt.Errorf("--timeout: want a positive duration, have %s", o.Timeout), "leave the flag out for 15m")
	}
	if o.NoWait && o.RollbackOnFailure {
		return fault.New(fault.Usage, fmt.Errorf("--no-wait and --rollback-on-failure are mutually exclusive"), "leave out --no-wait: a failure is only seen while slipway waits")
	}
	return nil
}

// levelValue is a flag with the level of findings.
type levelValue admission.Level

func (v *levelValue) String() string { return string(*v) }
func (v *levelValue) Type() string   { return "LEVEL" }

func (v *levelValue) Set(text string) error {
	level, err := admission.ParseLevel(text)
	*v = levelValue(level)
	return err
}
