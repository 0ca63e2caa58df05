package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// deployment is a template for a stack.
type deployment struct {
	stack, file  string
	capabilities []string
	overrides    []string // NAME=VALUE
}

func newDeploy() *cobra.Command {
	var at endpoint
	var d deployment
	c := &cobra.Command{
		Use:   "deploy [NAME=VALUE...]",
		Short: "Deploy a CloudFormation template to a running sandbox",
		Long: `deploy does what 'aws cloudformation deploy' does, on a running sandbox, for hosts
without the AWS CLI. Its flags are those of the AWS CLI. Parameters that it does not
get keep their values. --parameter-overrides takes all words that follow.

ECS clusters, log groups, roles, target groups, services of Cloud Map and secrets
exist in the sandbox afterwards. All other resources of the templates that
'slipway stack' prints are only names, ids and ARNs. Other types of resources, and
functions that those templates do not use, are refused.`,
		Example: `  slipway stack network > network.yaml
  slipway-sandbox deploy --stack-name network --template-file network.yaml
  slipway stack site-alb > site.yaml
  slipway-sandbox deploy --stack-name shop --template-file site.yaml \
    --capabilities CAPABILITY_IAM --parameter-overrides $(slipway stack site-alb --parameters)`,
		RunE: func(c *cobra.Command, args []string) error {
			d.overrides = append(d.overrides, args...)
			if err := d.check(len(args) > 0 && !c.Flags().Changed("parameter-overrides")); err != nil {
				return usageError{err}
			}
			return d.run(c.Context(), at.stacks(), c.OutOrStdout())
		},
	}
	at.flags(c)
	f := c.Flags()
	f.StringVar(&d.stack, "stack-name", "", "name of the stack, which is created if it does not exist")
	f.StringVar(&d.file, "template-file", "", "file with the template")
	f.StringSliceVar(&d.capabilities, "capabilities", nil, "CAPABILITY_IAM for a template with roles or policies")
	f.StringArrayVar(&d.overrides, "parameter-overrides", nil, "values of parameters, NAME=VALUE and more words")
	return c
}

// stacks returns a client of the sandbox's CloudFormation.
func (e *endpoint) stacks() *cloudformation.Client {
	return cloudformation.New(cloudformation.Options{
		Region: e.region, BaseEndpoint: aws.String("http://" + e.addr), Credentials: madeUp,
	})
}

func (d deployment) check(strayWords bool) error {
	switch {
	case strayWords:
		return fmt.Errorf("deploy takes no arguments without --parameter-overrides, got %q", d.overrides)
	case d.stack == "":
		return errors.New("--stack-name is needed")
	case d.file == "":
		return errors.New("--template-file is needed")
	}
	for _, o := range d.overrides {
		if name, _, ok := strings.Cut(o, "="); !ok || name == "" {
			return fmt.Errorf("--parameter-overrides %q must be NAME=VALUE", o)
		}
	}
	return nil
}

// run deploys the template by a change set.
func (d deployment) run(ctx context.Context, c *cloudformation.Client, out io.Writer) error {
	text, err := os.ReadFile(d.file)
	if err != nil {
		return err
	}
	var template struct {
		Parameters map[string]yaml.Node `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		return fmt.Errorf("%s: %w", d.file, err)
	}
	before, err := d.before(ctx, c)
	if err != nil {
		return err
	}
	in := &cloudformation.CreateChangeSetInput{
		StackName: &d.stack, ChangeSetName: aws.String("slipway-sandbox-deploy"), ChangeSetType: types.ChangeSetTypeCreate,
		TemplateBody: aws.String(string(text)), Parameters: d.parameters(),
	}
	for _, capability := range d.capabilities {
		in.Capabilities = append(in.Capabilities, types.Capability(capability))
	}
	if before != nil {
		in.ChangeSetType = types.ChangeSetTypeUpdate
		for _, p := range before.Parameters {
			_, declared := template.Parameters[*p.ParameterKey]
			if declared && !slices.ContainsFunc(d.overrides, func(o string) bool { return strings.HasPrefix(o, *p.ParameterKey+"=") }) {
				in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: p.ParameterKey, UsePreviousValue: aws.Bool(true)})
			}
		}
	}
	return d.change(ctx, c, in, out)
}

// parameters returns the values that are given. The last one of a parameter wins.
func (d deployment) parameters() (out []types.Parameter) {
	values := map[string]string{}
	for _, o := range d.overrides {
		name, value, _ := strings.Cut(o, "=")
		values[name] = value
	}
	for name, value := range values {
		out = append(out, types.Parameter{ParameterKey: &name, ParameterValue: &value})
	}
	return out
}

// before returns the stack if it exists.
func (d deployment) before(ctx context.Context, c *cloudformation.Client) (*types.Stack, error) {
	out, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &d.stack})
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && strings.HasSuffix(api.ErrorMessage(), "does not exist"):
		return nil, nil
	case err != nil:
		return nil, err
	case out.Stacks[0].StackStatus == types.StackStatusReviewInProgress:
		return nil, nil
	}
	return &out.Stacks[0], nil
}

// change makes a change set and executes it. The messages are those of the AWS CLI.
func (d deployment) change(ctx context.Context, c *cloudformation.Client, in *cloudformation.CreateChangeSetInput, out io.Writer) error {
	made, err := c.CreateChangeSet(ctx, in)
	if err != nil {
		return err
	}
	change, err := c.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: made.Id})
	if err != nil {
		return err
	}
	if reason := aws.ToString(change.StatusReason); change.Status == types.ChangeSetStatusFailed {
		if strings.Contains(reason, "didn't contain changes") {
			fmt.Fprintf(out, "No changes to deploy. Stack %s is up to date\n", d.stack)
			return nil
		}
		return fmt.Errorf("stack %s: the change set failed: %s", d.stack, reason)
	}
	if _, err := c.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: made.Id}); err != nil {
		return err
	}
	after, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: made.StackId})
	if err != nil {
		return err
	}
	s := after.Stacks[0]
	if s.StackStatus != types.StackStatusCreateComplete && s.StackStatus != types.StackStatusUpdateComplete {
		return fmt.Errorf("stack %s: %s: %s", d.stack, s.StackStatus, aws.ToString(s.StackStatusReason))
	}
	fmt.Fprintf(out, "Successfully created/updated stack - %s\n", d.stack)
	return nil
}
