package cmd

import (
	"context"
	"errors"

	"slipway/rollout"
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
