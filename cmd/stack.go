package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/internal/fault"
	"slipway/project"
	"slipway/stack"
)

// stackCommand are the flags of `slipway stack`.
type stackCommand struct {
	project    projectFlags
	parameters bool
	services   []string
	output     string
}

func newStackCommand(w *cli) *cobra.Command {
	var o stackCommand
	c := &cobra.Command{
		Use:   "stack [NAME]",
		Short: "Print a CloudFormation template for the resources around services",
		Long: `Prints a CloudFormation template: the network, a load balancer or an API with roles and
a log group, a pipeline and so on. Without NAME, it lists the templates. It makes no
network requests, and deploys nothing: 'aws cloudformation deploy' does.

With --parameters, it prints the parameters of the template that follow from the compose
file, one NAME=VALUE on a line, for --parameter-overrides. No value has a space. With
--output json, the result is a file for --parameter-overrides file://FILE. A warning
names each other parameter that has no default. docs/stacks.md describes the templates.`,
		Example: `  slipway stack network > network.yaml
  aws cloudformation deploy --stack-name network --template-file network.yaml
  slipway stack site-alb > site.yaml
  aws cloudformation deploy --stack-name shop --template-file site.yaml \
    --capabilities CAPABILITY_IAM --parameter-overrides $(slipway stack site-alb --parameters)`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkOutput(o.output); err != nil {
				return err
			}
			if len(args) == 1 {
				return printStack(c.Context(), w, o, args[0])
			}
			if o.parameters {
				return fault.New(fault.Usage, errors.New("--parameters: no template is named"), "`slipway stack` lists the templates")
			}
			return listStacks(w)
		},
	}
	f := c.Flags()
	o.project.flags(f)
	f.BoolVar(&o.parameters, "parameters", false, "print the parameters that follow from the compose file")
	f.StringSliceVar(&o.services, "ecs-service", nil, "ECS `service` that the stack is for (default: all with ports)")
	f.StringVar(&o.output, "output", "text", "form of the parameters on stdout: text or json")
	return c
}

func listStacks(w *cli) error {
	all, err := stack.Templates()
	if err != nil {
		return err
	}
	for _, t := range all {
		if _, err := fmt.Fprintf(w.stdout, "%-8s  %s\n", t.Name, t.Description); err != nil {
			return err
		}
	}
	return nil
}

func printStack(ctx context.Context, w *cli, o stackCommand, name string) error {
	t, err := stack.Find(name)
	if err != nil {
		return err
	}
	if !o.parameters {
		_, err := fmt.Fprint(w.stdout, t.Text)
		return err
	}
	p, err := project.StackProject(ctx, &w.Host, o.project.Options)
	if err != nil {
		return err
	}
	derived, err := t.Derive(p, o.services)
	if err != nil {
		return err
	}
	if len(derived.Values) == 0 {
		w.Warnf("no parameter of %s follows from the compose file", name)
	}
	for _, m := range derived.Missing {
		w.Warnf("%s: %s", m.Problem(), m.Advice())
	}
	if o.output == "json" {
		return writeJSON(w.stdout, append([]stack.Value{}, derived.Values...))
	}
	for _, v := range derived.Values {
		if _, err := fmt.Fprintf(w.stdout, "%s=%s\n", v.Name, v.Value); err != nil {
			return err
		}
	}
	return nil
}
