package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"slipway/internal/fault"
	"slipway/rollout"
)

// rollbackOptions are the flags of `slipway rollback`.
type rollbackOptions struct {
	siteOptions
	deploy   rollout.Options
	yes      bool
	previous bool
	// revision is the name or prefix on the command line.
	revision string
}

func newRollbackCommand(w *cli) *cobra.Command {
	var o rollbackOptions
	c := &cobra.Command{
		Use:   "rollback (REVISION | --previous)",
		Short: "Roll ECS services back to a revision: move the tags, deploy and verify",
		Long: `Rolls the project's ECS services back to a revision that is in the repositories.

Slipway first checks that the revision is complete in every repository and not archived,
and that each service can be deployed. Then it tags the running images live-CLUSTER.SERVICE, and moves
latest to the revision in all repositories or in none. It starts a deployment of each
service: a forced one if the task definition names latest, or one of a new task definition
revision if it names a hash or a digest. Services that already run the images are not
touched.

If Slipway wrote its settings (x-slipway.task), a service goes back to the task
definition that ran the images, with the settings of then. Secrets have their present
values.

Slipway waits for the end of each deployment. A deployment succeeds when ECS reports it
SUCCESSFUL and every task runs the revision's digests. If it fails or takes too long,
the tags are reverted, and slipway prints the cause.

REVISION is a name that "slipway revisions" lists, or a unique prefix of one. --previous
rolls back to the images that ran before the most recent deployment. Running it twice
returns to the current state. Services and repositories come from the compose file, or
without one from the task definition of --ecs-service.`,
		Example: `  slipway rollback 1a2b3c4d5e6f
  slipway rollback 1a2b --yes
  slipway rollback 1a2b --dry-run
  slipway rollback --previous --cluster shop --ecs-service shop`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.revision = args[0]
			}
			return runRollback(c.Context(), w, o)
		},
	}
	f := c.Flags()
	o.siteOptions.flags(f)
	addContainerFlags(f, &o.ecs)
	addTagFlags(f, &o.deploy)
	o.project.onlyTrusted(f)
	addDeployFlags(f, &o.deploy)
	f.BoolVar(&o.previous, "previous", false, "take the images of the last successful deployment before the present one")
	f.BoolVar(&o.deploy.DryRun, "dry-run", false, "print the changes; move no tag and start no deployment")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask (without a terminal nothing is asked)")
	return c
}

func (o rollbackOptions) check() error {
	if o.previous == (o.revision != "") {
		return fault.New(fault.Usage, errors.New("name one revision, or give --previous"), "`slipway revisions` lists them")
	}
	if err := o.siteOptions.check(); err != nil {
		return err
	}
	return checkDeploy(o.deploy)
}

func runRollback(ctx context.Context, w *cli, o rollbackOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := refuseUntrusted(w, o.project.Trust, "rollback"); err != nil {
		return err
	}
	s, cloud, err := openSite(ctx, w, o.siteOptions, func(s *rollout.Services) error { s.Wanted = o.revision; return nil })
	if err != nil {
		return err
	}
	if err := s.Drivable(ctx, cloud); err != nil {
		return err
	}
	var target *rollout.Target
	if o.previous {
		target, err = rollout.FindPrevious(ctx, &w.Host, cloud, s)
	} else {
		target, err = rollout.FindRollback(ctx, &w.Host, cloud, s, o.revision)
	}
	if err != nil {
		return err
	}
	if err := s.PermitServices(ctx, &w.Host, o.project.Options, s.States(), false); err != nil {
		return err
	}
	if err := s.PermitImages(ctx, &w.Host, o.project.Options); err != nil {
		return err
	}
	options := o.deploy
	options.Return = true
	if !o.yes {
		options.Question = "take " + s.Describe() + " to " + target.Revision() + "?"
	}
	results, err := rollout.Run(ctx, &w.Host, cloud, options, s, target, rolloutHooksOf(w))
	return errors.Join(err, printRollouts(w, w.stdout, results, o.output))
}
