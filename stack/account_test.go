package stack_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"slipway/stack"
)

var errUnknown = errors.New("the template has no such parameter")

// account has the stacks, the ECS services and the secrets that the commands of a README
// make.
type account struct {
	t       testing.TB
	project stack.Project
	// files are the templates by the files that have them.
	files  map[string]stack.Template
	stacks map[string]deployed
	// deployments are the templates in the order of the commands.
	deployments []string
	// pushed says that secrets were written, created that ECS services were made.
	pushed, created bool
	// gone are the arguments of commands that delete.
	gone []string
}

// deployed is a stack.
type deployed struct {
	stack.Template
	values map[string]string
}

// run follows one command.
func (a *account) run(words []string) {
	line := strings.Join(words, " ")
	switch {
	case strings.HasPrefix(line, "slipway stack ") && len(words) == 5 && words[3] == ">":
		template, err := stack.Find(words[2])
		if err != nil {
			a.t.Errorf("%s: Find() = %v", line, err)
		}
		a.files[words[4]] = template
	case strings.HasPrefix(line, "aws cloudformation deploy "):
		a.deploy(line, words[3:])
	case line == "slipway secrets push":
		a.pushed = true
	case strings.HasPrefix(line, "slipway build") && slices.Contains(words, "--create-service"):
		a.create(line)
	case strings.HasPrefix(line, "aws ") && len(words) > 2 && strings.HasPrefix(words[2], "delete-"):
		a.gone = append(a.gone, line+" ")
	}
}

// deploy follows `aws cloudformation deploy`, which keeps the values of the parameters
// that it does not get.
func (a *account) deploy(line string, words []string) {
	options := map[string][]string{}
	option := ""
	for _, w := range words {
		if strings.HasPrefix(w, "--") {
			option = w
		} else {
			options[option] = append(options[option], w)
		}
	}
	name, file := strings.Join(options["--stack-name"], " "), strings.Join(options["--template-file"], " ")
	template, ok := a.files[file]
	if !ok {
		a.t.Errorf("%s: no command before it has written %s", line, file)
		return
	}
	a.deployments = append(a.deployments, template.Name)
	if needs := strings.Contains(template.Text, "Type: AWS::IAM::"); needs != slices.Contains(options["--capabilities"], "CAPABILITY_IAM") {
		a.t.Errorf("%s: the template makes roles or policies: %v, want CAPABILITY_IAM for those that do alone", line, needs)
	}
	if _, ok := a.stacks[name]; !ok {
		a.stacks[name] = deployed{template, defaults(template)}
	}
	if was := a.stacks[name].Name; was != template.Name {
		a.t.Errorf("%s: the stack %s is of the template %s, want another name", line, name, was)
		return
	}
	for _, w := range options["--parameter-overrides"] {
		a.override(line, a.stacks[name], w)
	}
	for _, p := range template.Parameters {
		value, ok := a.stacks[name].values[p.Name]
		if !ok {
			a.t.Errorf("%s: %s has no value", line, p.Name)
		}
		if _, exists := a.stacks[value]; strings.HasSuffix(p.Name, "Stack") && value != "" && !exists {
			a.t.Errorf("%s: %s=%s: no such stack is deployed", line, p.Name, value)
		}
	}
}

func defaults(t stack.Template) map[string]string {
	out := map[string]string{}
	for _, p := range t.Parameters {
		if p.Default != nil {
			out[p.Name] = *p.Default
		}
	}
	return out
}

// override follows a word of --parameter-overrides.
func (a *account) override(line string, d deployed, word string) {
	if word == "$(slipway stack "+d.Name+" --parameters)" {
		derived, err := d.Derive(a.project, nil)
		if err != nil {
			a.t.Errorf("%s: Derive() = %v", line, err)
		}
		for _, v := range derived.Values {
			d.values[v.Name] = v.Value
		}
		return
	}
	name, value, _ := strings.Cut(word, "=")
	// The output of a command is known at the time of the deployment only.
	if err := check(d.Template, stack.Value{Name: name, Value: value}); err != nil && !(strings.HasPrefix(value, "$(") && !errors.Is(err, errUnknown)) {
		a.t.Errorf("%s: CloudFormation refuses %s: %v", line, word, err)
	}
	d.values[name] = value
}

// checkOutputs fails unless ECS services are created, and the stack of the compose file
// has the outputs that give variables their values.
func (a *account) checkOutputs() {
	if !a.created {
		a.t.Errorf("no command creates the ECS services")
	}
	site := a.stacks[a.project.Stack]
	for _, d := range a.project.Definitions {
		for container, outputs := range d.Outputs {
			for variable, output := range outputs {
				if !a.hasOutput(site, output) {
					a.t.Errorf("container %s, variable %s: the stack has no output %s", container, variable, output)
				}
			}
		}
	}
}

// hasOutput reports whether a stack has an output. The condition of an output is that a
// parameter is not empty.
func (a *account) hasOutput(d deployed, name string) bool {
	if !slices.Contains(d.Outputs, name) {
		return false
	}
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(d.Text), &root); err != nil {
		a.t.Fatal(err)
	}
	condition := child(child(child(root.Content[0], "Outputs"), name), "Condition")
	if condition == nil {
		return true
	}
	parameter := ""
	nodes(child(child(root.Content[0], "Conditions"), condition.Value), "", func(_ string, n *yaml.Node) {
		if n.Tag == "!Ref" {
			parameter = n.Value
		}
	})
	return d.values[parameter] != ""
}

// create makes the ECS services, whose tasks start only if the stack and the secrets
// exist.
func (a *account) create(line string) {
	a.created = true
	if _, ok := a.stacks[a.project.Stack]; !ok {
		a.t.Errorf("%s: no stack %s is deployed, which the compose file names", line, a.project.Stack)
	}
	if len(a.secrets()) > 0 && !a.pushed {
		a.t.Errorf("%s: no command before it writes the secrets %q", line, a.secrets())
	}
}

// secrets are the names of the project's own secrets in Secrets Manager.
func (a *account) secrets() (out []string) {
	for _, d := range a.project.Definitions {
		for _, variables := range d.Secrets {
			for _, name := range variables {
				out = append(out, a.project.Name+"/"+name)
			}
		}
	}
	return out
}

// left returns the commands that are missing to delete everything.
func (a *account) left() (out []string) {
	var want []string
	for name, d := range a.stacks {
		want = append(want, "aws cloudformation delete-stack --stack-name "+name)
		if d.Name == "table" {
			want = append(want, "aws dynamodb delete-table --table-name "+name)
		}
	}
	for _, d := range a.project.Definitions {
		want = append(want, "aws ecs delete-service --cluster "+d.ECS.Cluster+" --service "+d.ECS.Service+" --force")
	}
	for _, name := range a.project.Repositories {
		want = append(want, "aws ecr delete-repository --repository-name "+name+" --force")
	}
	for _, name := range a.secrets() {
		want = append(want, "aws secretsmanager delete-secret --secret-id "+name)
	}
	for _, command := range want {
		if !slices.ContainsFunc(a.gone, func(line string) bool { return strings.HasPrefix(line, command+" ") }) {
			out = append(out, command)
		}
	}
	return out
}
