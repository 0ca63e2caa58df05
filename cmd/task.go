package cmd

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"slipway/cmd/derived"
	"slipway/cmd/hint"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/rollout"
	"slipway/rollout/ecs"
	"slipway/rollout/settings"
	"slipway/rollout/task"
)

// taskCommand are the flags of `slipway task`.
type taskCommand struct {
	project projectFlags
	aws     awsOptions
	output  string
	diff    bool
}

func newTaskCommand(w *cli) *cobra.Command {
	var o taskCommand
	c := &cobra.Command{
		Use:   "task",
		Short: "Print the task definitions that follow from the compose file",
		Long: `Prints the ECS task definitions that follow from the compose file: one for each ECS
service, and one for each service in x-slipway.task.before. It makes no network requests.
Names in capitals such as EXECUTION_ROLE_ARN stand for values that only AWS knows, and
HASH for the hash of a build.

Each key of a service is carried, changed with a warning, or refused by name with exit
code 2. x-slipway: {local: true} keeps a service for docker compose, and x-slipway:
{local: [volumes]} some of its keys. docs/task-definition.md lists all keys.

With --diff, it compares them with the task definitions that the ECS services run, with
one request for each ten services and one for each. The outputs of the stack and the
versions of secrets are read, too. The exit code is 0 if the settings are equal and 1 if
they differ. Images of the project are not compared. Values are shown on a terminal only,
and never those of variables with names of credentials.

With --output json, the result is an array of inputs of RegisterTaskDefinition, with the
keys of ECS's API.`,
		Example: `  slipway task
  slipway task --output json
  slipway task --diff`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runTask(c.Context(), w, o) },
	}
	f := c.Flags()
	o.project.flags(f)
	o.aws.flags(f)
	f.BoolVar(&o.diff, "diff", false, "compare them with the running task definitions: exit code 0 equal, 1 different")
	f.StringVar(&o.output, "output", "text", "form of the result on stdout: text or json")
	return c
}

func runTask(ctx context.Context, w *cli, o taskCommand) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	definitions, err := project.TaskDefinitions(ctx, &w.Host, o.project.Options)
	if err != nil {
		return err
	}
	if o.diff {
		return runTaskDiff(ctx, w, o, definitions)
	}
	if o.output == "text" {
		return derived.Print(w.stdout, definitions)
	}
	inputs := []task.Input{}
	for _, d := range definitions {
		inputs = append(inputs, d.Input)
	}
	return writeJSON(w.stdout, inputs)
}

// runTaskDiff prints the differences to the running task definitions.
func runTaskDiff(ctx context.Context, w *cli, o taskCommand, definitions []task.Definition) error {
	aws, err := openAWS(ctx, w, o.aws)
	if err != nil {
		return err
	}
	found, denied, err := settings.Read(ctx, aws, definitions)
	if missing := (*ecs.MissingError)(nil); errors.As(err, &missing) {
		return fault.New(fault.KindOf(err), err, hint.ComposeService)
	}
	if err != nil {
		return err
	}
	rollout.WarnDenied(&w.Host, denied)
	if o.output == "json" {
		err = writeJSON(w.stdout, derived.Differences(found, w.values))
	} else {
		err = derived.PrintDifferences(w.stdout, found, w.values)
	}
	if err == nil && slices.ContainsFunc(found, func(d settings.Difference) bool { return len(d.Changes) > 0 }) {
		return &reportedError{errors.New("the settings differ")}
	}
	return err
}
