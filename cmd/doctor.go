package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/retention"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// doctorOptions are the flags of `slipway doctor`: those of build that decide whether it
// can run.
type doctorOptions struct {
	buildOptions
	// limit is how long one step of a check may take.
	limit time.Duration
}

// doctorTimeout is long enough for a managed engine to start.
const doctorTimeout = 20 * time.Second

func newDoctorCommand(w *cli) *cobra.Command {
	var o doctorOptions
	c := &cobra.Command{
		Use:   "doctor [SERVICE...]",
		Short: "Check whether build would be able to run, and say what is missing",
		Long: `Checks what slipway build needs, all at once, and prints a line for each finding, with
what to do about it: the compose file and the hash, whether the build is untrusted, the
AWS credentials, whose they are, the region and this machine's clock, the repositories,
which tags can move in them, their lifecycle policies, permissions, the bucket of the
definitions, the engine, its platforms and disk space, runc, the base images, and the ECS
services and what their task definitions call the images.

A finding is ok, a warning, failed, or not checked, with the reason. The doctor writes
nothing. Permissions are asked from IAM's policy simulation where that is allowed, and
tried out where trying changes nothing. A managed engine is started to see that
it runs, and stopped.

The flags are build's: give the same, or set the same variables.

Exit codes: 0 if build would be able to run, warnings or not; 2 if nothing but the input
is wrong: files, flags, names; 4 if AWS or the registry is among what failed; 1 for
anything else, such as no engine or a base image that cannot be pulled.`,
		Example: `  slipway doctor
  slipway doctor --create-repositories --output json`,
		RunE: func(c *cobra.Command, args []string) error {
			o.project.Services = args
			return runDoctor(c.Context(), w, o)
		},
	}
	o.flags(c.Flags())
	return c
}

// buildFlags are the flags of build that decide whether it can run.
var buildFlags = []string{
	"file", "env-file", "profile", "project-directory", "project-name", "name", "hash", "allow", "definitions-dir",
	"region", "cluster", "ecs-service", "retention-days", "replace-policy",
	"create-repositories", "no-latest", "untrusted", "rollout", "image-ref", "artifact", "cache", "compression", "engine", "engine-tls", "engine-network", "engine-state",
}

// flags takes over build's, so that they stay the same; the others keep build's defaults.
func (o *doctorOptions) flags(f *pflag.FlagSet) {
	all := pflag.NewFlagSet("build", pflag.ContinueOnError)
	o.buildOptions.flags(all)
	for _, name := range buildFlags {
		flag := all.Lookup(name)
		if flag.Value.Type() == "bool" {
			flag.Usage = "for a build that is told to " + flag.Usage
		}
		f.AddFlag(flag)
	}
	f.StringVar(&o.output, "output", "text", "form of the result on stdout: text or json")
	f.DurationVar(&o.limit, "check-timeout", doctorTimeout, "`time` that each step of a check may take")
}

func (o doctorOptions) check() error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	if o.limit <= 0 {
		return fault.New(fault.Usage, fmt.Errorf("--check-timeout: want more than 0, have %s", o.limit), "leave the flag out for "+doctorTimeout.String())
	}
	if err := o.buildOptions.check(); err != nil {
		return err
	}
	return checkECS(o.project.ECS)
}

// runDoctor prints the findings, and ends with an error if build could not run.
func runDoctor(ctx context.Context, w *cli, o doctorOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	d := newDoctor(ctx, w, o)
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	findings := d.examine(ctx, d.checks())
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted while checking: %w", ctx.Err())
	}
	if err := printFindings(w, findings, o.output); err != nil {
		return err
	}
	return verdict(w, findings)
}

// doctor is one run of `slipway doctor`. What several checks want to know is asked once,
// by whichever comes first.
type doctor struct {
	*cli
	options doctorOptions
	// Plan is nil where the project cannot be read, and planErr says why; hashErr is why
	// the plan has another hash than build would give it.
	plan             *project.Plan
	planErr, hashErr error
	// settingsErr is what is wrong with flags and settings that the plan knows nothing of.
	settingsErr error

	cloud        func() (*awsclient.Clients, error)
	access       func() (access, error)
	repositories func() (foundRepositories, error)
	policies     func() ([]retention.State, error)
	engine       func() (*foundEngine, error)
}

func newDoctor(ctx context.Context, w *cli, o doctorOptions) *doctor {
	d := &doctor{cli: w, options: o}
	d.readPlan(ctx)
	d.cloud = asked(ctx, o.limit, d.configure)
	d.access = asked(ctx, o.limit, d.enter)
	d.repositories = asked(ctx, o.limit, d.findRepositories)
	d.policies = asked(ctx, o.limit, d.readPolicies)
	d.engine = asked(ctx, o.limit+d.dockerTime(), d.startEngine)
	return d
}

// checks are all there are, in the order in which they are told.
func (d *doctor) checks() []check {
	access := func() { _, _ = d.access() }
	policies := func() { _, _ = d.policies() }
	engine := func() { _, _ = d.engine() }
	all := []check{
		{name: "compose file", run: d.checkProject},
		{name: "hash", run: d.checkHash},
		{name: "settings", run: d.checkSettings},
		{name: "trust", run: d.checkTrust},
		{name: "region", run: d.checkRegion},
		{name: "credentials", needs: needsCloud, first: access, run: d.checkCredentials},
		{name: "clock", needs: needsCloud, first: access, run: d.checkClock},
		{name: "registry login", needs: needsAccess, run: d.checkLogin},
		{name: "repository", needs: needsProject | needsAccess, first: func() { _, _ = d.repositories() }, run: d.checkRepositories},
		{name: "tags", needs: needsRepositories, run: d.checkTags},
		{name: "retention", needs: needsRepositories, first: policies, run: d.checkRetention},
		{name: "revision", needs: needsRepositories, run: d.checkRevision},
		{name: "permissions", needs: needsProject | needsAccess, first: policies, run: d.checkPermissions},
		{name: "engine", first: engine, run: d.checkEngine},
		{name: "runc", first: engine, run: d.checkRunc},
		{name: "engine network", first: engine, run: d.checkNetwork},
		{name: "platforms", needs: needsProject | needsEngine, run: d.checkPlatforms},
		{name: "disk", first: engine, run: d.checkDisk},
		{name: "base image", needs: needsProject, first: func() { engine(); access() }, run: d.checkBases},
	}
	if d.options.Artifact != "" {
		all = append(all, check{name: "artifact", needs: needsProject | needsAccess, run: d.checkArtifact})
	}
	if d.plan != nil && len(d.plan.ECS.Services) > 0 && !d.options.NoLatest {
		all = append(all, check{name: "ECS service", needs: needsProject | needsAccess, run: d.checkECS})
	}
	return all
}
