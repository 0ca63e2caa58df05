package stack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/internal/fault"
	"slipway/internal/testkit"
	"slipway/internal/testtools"
	"slipway/stack"
)

// lint runs cfn-lint over files. W6001 is about outputs that another stack's outputs
// give: the site templates pass them on, so that Slipway reads one stack.
func lint(t *testing.T, paths ...string) (string, error) {
	t.Helper()
	program := testtools.Require(t, testtools.CFNLint)
	args := append([]string{"--regions", "eu-west-1", "us-east-1", "--ignore-checks", "W6001", "--"}, paths...)
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	return string(out), err
}

// TestTemplatesPassLint lets cfn-lint check all templates.
func TestTemplatesPassLint(t *testing.T) {
	t.Parallel() // a run takes seconds
	paths, err := filepath.Glob("templates/*.yaml")
	if err != nil || len(paths) != len(templates(t)) {
		t.Fatalf("%d files and %d templates, %v", len(paths), len(templates(t)), err)
	}
	if out, err := lint(t, paths...); err != nil {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}
}

// TestLintFindsFaultsInTemplates shows that cfn-lint sees into the templates.
func TestLintFindsFaultsInTemplates(t *testing.T) {
	t.Parallel() // a run takes seconds
	good := find(t, "site-alb").Text
	tree := map[string]string{}
	for name, change := range map[string][2]string{
		"property":  {"      TargetType: ip\n", "      TargetKind: ip\n"},
		"value":     {"      TargetType: ip\n", "      TargetType: address\n"},
		"reference": {"!Ref ContainerPort", "!Ref Port"},
		"condition": {"- FromCdn\n", "- FromCloudFront\n"},
	} {
		tree[name+".yaml"] = strings.Replace(good, change[0], change[1], 1)
	}
	dir := testkit.WriteTree(t, tree)
	var paths []string
	for name := range tree {
		paths = append(paths, filepath.Join(dir, name))
	}
	out, err := lint(t, paths...)
	for name := range tree {
		if err == nil || !strings.Contains(out, name+":") {
			t.Errorf("cfn-lint found nothing in %s\n%s", name, out)
		}
	}
}

func templates(t *testing.T) []stack.Template {
	t.Helper()
	all, err := stack.Templates()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func find(t *testing.T, name string) stack.Template {
	t.Helper()
	out, err := stack.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTexts: each template, parameter and output says what it is.
func TestTexts(t *testing.T) {
	for _, s := range templates(t) {
		if s.Description == "" || !strings.HasSuffix(s.Description, ".") || strings.Contains(s.Description, "\n") {
			t.Errorf("%s: the description is %q, want a line that ends in a period", s.Name, s.Description)
		}
		for _, p := range s.Parameters {
			if !strings.HasSuffix(p.Description, ".") {
				t.Errorf("%s: parameter %s has the description %q, want a sentence", s.Name, p.Name, p.Description)
			}
			if p.Default != nil && *p.Default != "" {
				if err := p.Check(*p.Default); err != nil {
					t.Errorf("%s: the default is refused: %v", s.Name, err)
				}
			}
		}
	}
}

// TestSize: a template that is passed with a request, not through S3, has at most
// 51,200 bytes ("Quotas" in the CloudFormation user guide).
func TestSize(t *testing.T) {
	for _, s := range templates(t) {
		if len(s.Text) > 51200 || len(s.Text) < 1000 {
			t.Errorf("%s has %d bytes, want 1,000 to 51,200", s.Name, len(s.Text))
		}
	}
}

func TestFind(t *testing.T) {
	_, err := stack.Find("../templates/table")
	if fault.KindOf(err) != fault.Usage {
		t.Errorf("Find(../templates/table) = %v, want an error in the usage", err)
	}
	if got := find(t, "table"); got.Text != testkit.ReadFile(t, "templates/table.yaml") {
		t.Error("Find(table) is not the file")
	}
	if _, err := os.Stat("templates/site-alb.yaml"); err != nil {
		t.Error(err)
	}
}

// TestSiteOutputs: both site templates have the outputs that Slipway reads.
func TestSiteOutputs(t *testing.T) {
	for name, group := range map[string]string{"site-alb": "TargetGroup", "site-api": "Registry"} {
		for _, output := range []string{"ExecutionRole", "TaskRole", "LogGroup", "Subnets", "SecurityGroup", "Cluster", "AssignPublicIp", "Url", group} {
			if !slices.Contains(find(t, name).Outputs, output) {
				t.Errorf("%s has no output %s", name, output)
			}
			with, err := stack.WithOutput(output)
			if err != nil || !slices.Contains(with, name) {
				t.Errorf("WithOutput(%s) = %v, %v, want %s among them", output, with, err, name)
			}
		}
	}
	if with, err := stack.WithOutput("Nothing"); err != nil || len(with) > 0 {
		t.Errorf("WithOutput(Nothing) = %v, %v, want none", with, err)
	}
}
