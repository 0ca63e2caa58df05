package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"slipway/cmd/derived"
	"slipway/project"
	"slipway/rollout/task"
)

// taskCommand are the flags of `slipway task`.
type taskCommand struct {
	project projectFlags
	output  string
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

With --output json, the result is an array of inputs of RegisterTaskDefinition, with the
keys of ECS's API.`,
		Example: `  slipway task
  slipway task --output json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runTask(c.Context(), w, o) },
	}
	f := c.Flags()
	o.project.flags(f)
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
	if o.output == "text" {
		return derived.Print(w.stdout, definitions)
	}
	inputs := []task.Input{}
	for _, d := range definitions {
		inputs = append(inputs, d.Input)
	}
	return writeJSON(w.stdout, inputs)
}
