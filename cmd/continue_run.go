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
	results, err := rollout.Answer(ctx, &w.Host, cloud, o.deploy, s, waiting, o.abort, rolloutHooksOf(w))
	return errors.Join(err, printRollouts(w, w.stdout, results, o.output))
}
