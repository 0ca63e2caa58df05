package cmd

import (
	"context"
	"errors"

	"slipway/rollout"
	"slipway/rollout/ecs"
)

// runContinue answers the lifecycle hooks at which the services' deployments wait, and
// follows the deployments to their ends. It moves no tags.
func runContinue(ctx context.Context, w *cli, o rolloutOptions) error {
	s, cloud, services, err := openServices(ctx, w, o.siteOptions)
	if err != nil {
		return err
	}
	waiting, err := rollout.FindPauses(ctx, cloud, services)
	if err != nil {
		return err
	}
	d := &rollout.Rollout{Host: &w.Host, Hooks: rolloutHooksOf(w), Options: o.deploy, AWS: cloud, Services: s}
	err = d.Answer(ctx, waiting, o.abort)
	return errors.Join(err, printRollouts(w, w.stdout, d.Results(), o.output))
}

// continueCommand and abortCommand are the commands that answer a paused deployment of an
// ECS service, from any directory.
func continueCommand(ref ecs.Ref) string { return "slipway rollout --continue" + rollout.Flags(ref) }

func abortCommand(ref ecs.Ref) string { return "slipway rollout --abort" + rollout.Flags(ref) }
