package stack_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/stack"
)

// TestTemplatesDeploy: each template deploys with the parameters that follow from each
// example that names a stack, and each output has a value.
func TestTemplatesDeploy(t *testing.T) {
	found := 0
	for _, dir := range examples(t) {
		p := load(t, dir)
		if p.Stack == "" {
			continue
		}
		found++
		t.Run(filepath.Base(dir), func(t *testing.T) {
			s := testkit.StartSandbox(t, sandbox.Options{})
			client := cloudformation.NewFromConfig(testkit.AWSConfig(s.URL()))
			services := entries(p)
			for _, template := range templates(t) {
				chosen := services
				if template.Name == "site-alb" || template.Name == "scaling" {
					chosen = services[:1]
				}
				derived, err := template.Derive(p, chosen)
				if err != nil {
					t.Fatal(err)
				}
				deploy(t, client, template, append(derived.Values, others(template.Name)...))
			}
		})
	}
	if found < 3 {
		t.Errorf("%d examples name a stack, want one for each pattern", found)
	}
}

// others are parameters that do not follow from a compose file, or whose stacks have
// other names here: those of their templates.
func others(template string) []stack.Value {
	return map[string][]stack.Value{
		"site-alb": {{Name: "OnlyFromCdn", Value: "yes"}},
		"site-cdn": {{Name: "SiteStack", Value: "site-alb"}},
		"login":    {{Name: "DomainPrefix", Value: "shop"}, {Name: "SiteUrl", Value: "https://shop.example.com"}},
		"pipeline": {{Name: "SiteStack", Value: "site-alb"}},
	}[template]
}

// deploy deploys a template to a stack of its name. Later values of a parameter win.
func deploy(t *testing.T, client *cloudformation.Client, template stack.Template, values []stack.Value) {
	t.Helper()
	given := map[string]string{}
	for _, v := range values {
		given[v.Name] = v.Value
	}
	in := &cloudformation.CreateChangeSetInput{
		StackName: &template.Name, ChangeSetName: aws.String("create"), ChangeSetType: types.ChangeSetTypeCreate,
		TemplateBody: &template.Text, Capabilities: []types.Capability{types.CapabilityCapabilityIam},
	}
	for name, value := range given {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: &name, ParameterValue: &value})
	}
	made, err := client.CreateChangeSet(t.Context(), in)
	if err != nil {
		t.Errorf("%s with %v: %v", template.Name, given, err)
		return
	}
	if _, err := client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{ChangeSetName: made.Id}); err != nil {
		t.Errorf("%s: %v", template.Name, err)
		return
	}
	out, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: made.StackId})
	if err != nil || out.Stacks[0].StackStatus != types.StackStatusCreateComplete {
		t.Errorf("%s: the stack is %+v, %v, want CREATE_COMPLETE", template.Name, out, err)
		return
	}
	if len(out.Stacks[0].Outputs) == 0 && len(template.Outputs) > 0 {
		t.Errorf("%s has no outputs", template.Name)
	}
	for _, o := range out.Stacks[0].Outputs {
		if *o.OutputValue == "" || strings.ContainsAny(*o.OutputValue, "{}") {
			t.Errorf("%s: the output %s is %q", template.Name, *o.OutputKey, *o.OutputValue)
		}
	}
}
