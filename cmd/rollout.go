package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"slipway/artifact"
	"slipway/cmd/before"
	"slipway/internal/fault"
	"slipway/rollout"
	"slipway/rollout/ecs"
)

// rolloutOptions are the flags of `slipway rollout`.
type rolloutOptions struct {
	siteOptions
	deploy      rollout.Options
	definitions []string
	// adopt takes over task definitions that something else wrote.
	adopt bool
	// createService creates ECS services that do not exist.
	createService bool
	// goOn and abort answer the lifecycle hooks of deployments under way.
	goOn, abort bool
	// revision is the name or prefix on the command line.
	revision string
}

const rolloutHelp = `Registers a new revision of each service's task definition with the images of
imagedefinitions.json and every other field unchanged, and deploys it, as CodePipeline's
deploy action does. With REVISION, the images of that revision are deployed instead.

If build has written taskdefinition.json next to it, the new revision has the settings of
the compose file, too. Slipway logs the names of the fields that change. Fields that the
compose file has no word for stay, and so do other containers. A task definition that
something else wrote is refused if it has other settings; --adopt takes it over. The
outputs of the stack and the versions of secrets are read first: a rotated secret is
deployed, and a missing one ends the command before anything is touched.

One-off tasks in x-slipway.task.before run first, such as the migration of a database. If
one does not succeed, nothing is deployed and no tag moves.

--create-service creates an ECS service that does not exist, from that task definition and
the outputs of the stack in x-slipway.task: network, target group or Cloud Map. Desired count
and deployment configuration come from deploy in the compose file. Slipway does not change
these settings afterwards. --dry-run prints what would be created and deployed.

Where several ECS services are configured, each has a file of its own,
imagedefinitions-<ecs-service>.json. All are deployed at once. A service whose tasks run
the images already is left alone.

A deployment that waits at a PAUSE lifecycle hook is continued with --continue and rolled
back with --abort, from any directory and whoever started it. It is followed to its end.
Only the command that started it moves tags.

Slipway moves latest to the images, waits for the end of each deployment and verifies it.
If one fails, the tags are reverted to the images that ran before.

Without --definitions, slipway reads the files that build writes to this directory.`

func newRolloutCommand(w *cli) *cobra.Command {
	var o rolloutOptions
	c := &cobra.Command{
		Use:   "rollout [REVISION]",
		Short: "Deploy the definitions that build wrote, or a revision, and verify it",
		Long:  rolloutHelp,
		Example: `  slipway build && slipway rollout
  slipway rollout --definitions imagedefinitions.json --cluster shop --ecs-service shop
  slipway rollout --create-service
  slipway rollout 1a2b3c4d5e6f
  slipway rollout --continue --cluster shop --ecs-service shop`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.revision = args[0]
			}
			return runRollout(c.Context(), w, o)
		},
	}
	f := c.Flags()
	o.siteOptions.flags(f)
	addContainerFlags(f, &o.ecs)
	addTagFlags(f, &o.deploy)
	o.project.onlyTrusted(f)
	addDeployFlags(f, &o.deploy)
	addSettingsFlags(f, &o.adopt, &o.createService)
	before.AddFlag(f, &o.deploy)
	f.StringSliceVar(&o.definitions, "definitions", nil, "`file` to deploy, or ECS-SERVICE=FILE; repeat for several")
	f.BoolVar(&o.deploy.DryRun, "dry-run", false, "print what would be deployed and created; change nothing")
	f.BoolVar(&o.goOn, "continue", false, "continue deployments that wait at a PAUSE lifecycle hook")
	f.BoolVar(&o.abort, "abort", false, "roll back deployments that wait at a PAUSE lifecycle hook")
	return c
}

func (o rolloutOptions) check() error {
	if o.revision != "" && len(o.definitions) > 0 {
		return fault.New(fault.Usage, errors.New("a REVISION argument and --definitions are mutually exclusive"), "give one of them")
	}
	if o.revision != "" && o.createService {
		return fault.New(fault.Usage, errors.New("a REVISION argument and --create-service are mutually exclusive"), "leave the revision out: a service is created from the files that build writes")
	}
	if o.deploy.DryRun && (o.goOn || o.abort) {
		return fault.New(fault.Usage, errors.New("--dry-run excludes --continue and --abort"), "leave one of them out")
	}
	if (o.goOn || o.abort) && (o.revision != "" || len(o.definitions) > 0 || o.goOn == o.abort) {
		return fault.New(fault.Usage, errors.New("--continue and --abort exclude each other, a revision and --definitions"), "give one of them, with --cluster and --ecs-service to name services")
	}
	if err := o.siteOptions.check(); err != nil {
		return err
	}
	if err := before.Check(o.deploy); err != nil {
		return err
	}
	return checkDeploy(o.deploy)
}

func runRollout(ctx context.Context, w *cli, o rolloutOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := refuseUntrusted(w, o.project.Trust, "rollout"); err != nil {
		return err
	}
	if o.goOn || o.abort {
		return runContinue(ctx, w, o)
	}
	var files map[ecs.Ref][]artifact.Definition
	s, cloud, err := openSite(ctx, w, o.siteOptions, func(s *rollout.Services) (err error) {
		if s.Wanted = o.revision; o.revision != "" {
			return nil
		}
		if files, err = s.ReadFiles(ctx, &w.Host, o.project.Options, o.definitions); err != nil {
			return err
		}
		s.KeepWithFiles(files)
		s.Adopt, s.Create = o.adopt, o.createService
		s.Settings, err = s.ReadSettings(ctx, &w.Host, o.project.Options, o.definitions, files)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.Drivable(ctx, cloud); err != nil {
		return err
	}
	var target *rollout.Target
	if o.revision != "" {
		target, err = rollout.FindRevision(ctx, &w.Host, cloud, s, o.revision)
	} else {
		target, err = rollout.FindDefinitions(ctx, cloud, s, files)
	}
	if err != nil {
		return err
	}
	if err := s.PinBefore(ctx, cloud); err != nil {
		return err
	}
	if err := s.PermitServices(ctx, &w.Host, o.project.Options, s.States(), false); err != nil {
		return err
	}
	if err := s.PermitImages(ctx, &w.Host, o.project.Options); err != nil {
		return err
	}
	if !o.deploy.NoLatest && !s.LatestByBuild {
		rollout.WarnOlder(&w.Host, s, target)
	}
	options := o.deploy
	options.Exact = true
	results, err := rollout.Run(ctx, &w.Host, cloud, options, s, target, rolloutHooksOf(w))
	return errors.Join(err, printRollouts(w, w.stdout, results, o.output))
}
