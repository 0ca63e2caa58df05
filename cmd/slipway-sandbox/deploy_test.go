package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/stack"
)

// deployFixture is a sandbox, and the templates of slipway stack as files.
type deployFixture struct {
	*testing.T
	addr, dir string
}

func newDeployFixture(t *testing.T) deployFixture {
	t.Helper()
	s := testkit.StartSandbox(t, sandbox.Options{})
	d := deployFixture{t, strings.TrimPrefix(s.URL(), "http://"), t.TempDir()}
	all, err := stack.Templates()
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range all {
		d.write(template.Name, template.Text)
	}
	return d
}

func (d deployFixture) write(name, text string) {
	d.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name+".yaml"), []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
}

// deploy runs the command with a template.
func (d deployFixture) deploy(stack, template string, args ...string) (code int, stdout, stderr string) {
	d.Helper()
	var out, errs bytes.Buffer
	words := []string{"deploy", "--addr", d.addr, "--stack-name", stack, "--template-file", filepath.Join(d.dir, template+".yaml")}
	code = run(d.Context(), append(words, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// want fails unless the command ends with a code and prints a text.
func (d deployFixture) want(code int, text, stack, template string, args ...string) {
	d.Helper()
	if got, stdout, stderr := d.deploy(stack, template, args...); got != code || !strings.Contains(stdout+stderr, text) {
		d.Errorf("deploying %s to %s with %q: exit code %d, %s%s, want %d and %q", template, stack, args, got, stdout, stderr, code, text)
	}
}

func TestDeploy(t *testing.T) {
	d := newDeployFixture(t)
	iam := []string{"--capabilities", "CAPABILITY_IAM"}
	site := append(iam, "--parameter-overrides", "Project=shop", "Repositories=shop/*", "Cluster=main", "ContainerPort=80")
	d.want(exitError, "No export named network-", "shop", "site-alb", site...)
	d.want(exitDone, "Successfully created/updated stack - network", "network", "network")
	d.want(exitDone, "No changes to deploy. Stack network is up to date", "network", "network")
	d.want(exitError, "CAPABILITY_IAM", "shop", "site-alb", site[2:]...)
	d.want(exitError, "must have values", "shop", "site-alb", site[:4]...)
	d.want(exitDone, "Successfully created/updated stack - shop", "shop", "site-alb", site...)
	d.want(exitDone, "No changes to deploy. Stack shop is up to date", "shop", "site-alb", iam...)
	d.want(exitDone, "Successfully created/updated stack - shop", "shop", "site-alb", append(iam, "--parameter-overrides=HealthCheckPath=/up")...)
	out, err := (&endpoint{d.addr, "us-east-1"}).stacks().DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("shop")})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"Project": "shop", "Cluster": "main", "HealthCheckPath": "/up", "CreateCluster": "yes"}
	for _, p := range out.Stacks[0].Parameters {
		if v, ok := want[*p.ParameterKey]; ok && v != *p.ParameterValue {
			t.Errorf("%s is %s, want %s", *p.ParameterKey, *p.ParameterValue, v)
		}
	}
}

func TestDeployRefuses(t *testing.T) {
	d := newDeployFixture(t)
	d.write("bad", "a: [")
	d.write("refused", `{"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "a b"}}}}`)
	d.want(exitError, "stack logs: ROLLBACK_COMPLETE: Logs: InvalidParameterException", "logs", "refused")
	d.want(exitError, "bad.yaml", "shop", "bad")
	d.want(exitError, "none.yaml", "shop", "none")
	d.want(exitUsage, "--stack-name is needed", "", "network")
	d.want(exitUsage, `"Zones" must be NAME=VALUE`, "network", "network", "--parameter-overrides", "Zones")
	d.want(exitUsage, "takes no arguments without --parameter-overrides", "network", "network", "Zones=3")
	d.want(exitError, "Parameters: [Zone] do not exist in the template", "network", "network", "--parameter-overrides", "Zone=3")
}
