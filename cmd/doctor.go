package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"slipway/build"
	"slipway/cmd/check"
	"slipway/cmd/findings"
	"slipway/cmd/hint"
	"slipway/doctor"
	"slipway/internal/fault"
	"slipway/project"
)

// doctorFlags are the flags of `slipway doctor`: those of build that decide whether it
// can run.
type doctorFlags struct {
	buildOptions
	// limit is how long one step of a check may take.
	limit time.Duration
}

// doctorTimeout is long enough for a managed engine to start.
const doctorTimeout = 20 * time.Second

func newDoctorCommand(w *cli) *cobra.Command {
	var o doctorFlags
	c := &cobra.Command{
		Use:   "doctor [SERVICE...]",
		Short: "Check whether build would be able to run, and report each problem",
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

Pass the same flags and variables as to slipway build.

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
	"create-repositories", "no-latest", "untrusted", "rollout", "image-ref", "artifact", "cache", "compression", "reproducible", "mirror", "engine", "engine-tls", "engine-network", "engine-state",
}

// flags takes over build's, so that they stay the same; the others keep build's defaults.
func (o *doctorFlags) flags(f *pflag.FlagSet) {
	all := pflag.NewFlagSet("build", pflag.ContinueOnError)
	o.buildOptions.flags(all)
	for _, name := range buildFlags {
		flag := all.Lookup(name)
		if flag.Value.Type() == "bool" {
			flag.Usage = "check as if build were run with --" + name
		}
		f.AddFlag(flag)
	}
	f.StringVar(&o.output, "output", "text", "form of the result on stdout: text or json")
	f.DurationVar(&o.limit, "check-timeout", doctorTimeout, "`time` that each step of a check may take")
}

func (o doctorFlags) check() error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	if o.limit <= 0 {
		return fault.New(fault.Usage, fmt.Errorf("--check-timeout: want more than 0, have %s", o.limit), "leave the flag out for "+doctorTimeout.String())
	}
	if err := o.buildOptions.check(); err != nil {
		return err
	}
	return check.ECS(o.project.ECS)
}

// runDoctor prints the findings, and ends with an error if build could not run.
func runDoctor(ctx context.Context, w *cli, o doctorFlags) error {
	if err := o.check(); err != nil {
		return err
	}
	found, err := doctor.Run(ctx, &w.Host, o.options(w))
	if found == nil {
		return err
	}
	if err := printFindings(w, found, o.output); err != nil {
		return err
	}
	text, failed := findings.Verdict(found)
	if failed == nil {
		w.Infof("%s", text)
	}
	return errors.Join(failed, err)
}

// printFindings writes the checklist to stdout.
func printFindings(w *cli, found []doctor.Finding, output string) error {
	if output == "json" {
		return writeJSON(w.stdout, found)
	}
	_, err := io.WriteString(w.stdout, findings.Checklist(found))
	return err
}

// options are the flags as the checks take them.
func (o doctorFlags) options(w *cli) doctor.Options {
	return doctor.Options{
		Build: o.Options, Project: o.places(w), Rollout: o.rollout, Limit: o.limit, Hint: hint.Of,
		AWS: o.aws.logged(w), AWSError: o.aws.check(),
		Resolve: func(p *project.Plan, given build.Options, rollout bool) (build.Options, error) {
			resolved := o.buildOptions
			resolved.Options, resolved.rollout = given, rollout
			return resolved.complete(w, p)
		},
	}
}
