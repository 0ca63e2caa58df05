package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"slipway/internal/fault"
)

// envPrefix begins the environment variable of each flag: SLIPWAY_HASH for --hash.
const envPrefix = "SLIPWAY_"

func newRootCommand(w *cli) *cobra.Command {
	var level, format string
	root := &cobra.Command{
		Use:   "slipway",
		Short: "Build a compose project, push it to Amazon ECR, roll it out and back on ECS",
		Long: `Slipway builds the services of a compose file with BuildKit and pushes them to Amazon
ECR by digest. When all images are pushed, it tags them with the hash of the commit and
latest, and writes imagedefinitions.json. It deploys the images to ECS, rolls ECS back to
an earlier revision, and verifies the running images after each deployment.

Each flag has an environment variable, such as SLIPWAY_HASH for --hash. A flag overrides
the variable, the variable overrides x-slipway in the compose file, and that overrides
the default.

Without --file and COMPOSE_FILE, slipway reads compose.yaml, compose.yml,
docker-compose.yml or docker-compose.yaml in this directory or a parent directory.

` + exitCodesHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		// Flags are read from the environment before any command runs.
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := flagsFromEnv(c.Flags(), w); err != nil {
				return err
			}
			if err := checkLogFlags(level, format); err != nil {
				return err
			}
			w.logAs(level, format)
			w.inCodeBuild(c.CommandPath())
			routeLibraryLogs(w)
			return nil
		},
	}
	root.PersistentFlags().StringVar(&level, "log-level", "info", "what to log: debug, info, warn or error")
	root.PersistentFlags().StringVar(&format, logFormat, "text", "how to log: text or json")
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fault.New(fault.Usage, err, fmt.Sprintf("`%s --help` lists the flags", c.CommandPath()))
	})
	root.AddCommand(newBuildCommand(w), newRolloutCommand(w), newRollbackCommand(w), newRevisionsCommand(w), newDiffCommand(w), newStatusCommand(w),
		newStopCommand(w), newStartCommand(w), newRetentionCommand(w), newBuildspecCommand(w), newTaskCommand(w), newStackCommand(w),
		newSecretsCommand(w), newSubmitCommand(w), newDoctorCommand(w), newVersionCommand(w))
	usageErrors(root)
	return root
}

// usageErrors lets errors in the arguments end with the code for wrong usage.
func usageErrors(c *cobra.Command) {
	for _, sub := range c.Commands() {
		check := sub.Args
		sub.Args = func(c *cobra.Command, args []string) error {
			if check == nil {
				return nil
			}
			if err := check(c, args); err != nil {
				return fault.New(fault.Usage, err, fmt.Sprintf("`%s --help` lists the arguments", c.CommandPath()))
			}
			return nil
		}
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return fault.New(fault.Usage, fmt.Errorf("unknown command %q", args[0]), "`slipway --help` lists the commands")
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

// formatOf returns the format of the log that a command line asks for, which holds also for
// errors in the other arguments.
func formatOf(args []string, lookup func(string) (string, bool)) string {
	format, _ := lookup(envName(logFormat))
	for i, arg := range args {
		name, value, given := strings.Cut(arg, "=")
		switch {
		case arg == "--":
			return format
		case name != "--"+logFormat:
		case given:
			format = value
		case i+1 < len(args):
			format = args[i+1]
		}
	}
	return format
}

// logFormat is the name of the flag.
const logFormat = "log-format"

// logAs sets the level and the format of the log.
func (w *cli) logAs(level, format string) {
	w.log, w.structured = newLogger(w.stderr, level, format), format == "json"
}

func checkLogFlags(level, format string) error {
	if _, err := zerolog.ParseLevel(level); err != nil || level == "" {
		return fault.New(fault.Usage, fmt.Errorf("--log-level: unknown level %q", level), "use debug, info, warn or error")
	}
	if format != "text" && format != "json" {
		return fault.New(fault.Usage, fmt.Errorf("--log-format: unknown format %q", format), "use text or json")
	}
	return nil
}

// flagsFromEnv sets the flags that the command line did not from their variables.
func flagsFromEnv(flags *pflag.FlagSet, w *cli) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := envName(f.Name)
		v, ok := w.LookupEnv(name)
		if f.Changed || !ok || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, v); err != nil {
			errs = append(errs, fault.New(fault.Usage, fmt.Errorf("%s: %w", name, err), "correct or unset the variable"))
		}
	})
	return errors.Join(errs...)
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
