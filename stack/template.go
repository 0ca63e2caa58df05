package stack

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/internal/fault"
)

//go:embed templates/*.yaml
var files embed.FS

// names are the names of the templates, in the order in which they are deployed.
var names = []string{"network", "site-alb", "site-api", "table", "login", "site-cdn", "scaling", "pipeline"}

// Template is a CloudFormation template.
type Template struct {
	// Name is the name of the template, such as site-alb.
	Name string
	// Description is one line.
	Description string
	// Text is the file.
	Text string
	// Parameters are in the order of the file.
	Parameters []Parameter
	// Outputs are the names of the outputs, those with a condition included.
	Outputs []string
}

// Templates returns all templates, in the order in which they are deployed.
func Templates() ([]Template, error) {
	var out []Template
	for _, name := range names {
		t, err := Find(name)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// Find returns a template. The error for an unknown name is of the kind fault.Usage.
func Find(name string) (Template, error) {
	if !slices.Contains(names, name) {
		return Template{}, fault.New(fault.Usage, fmt.Errorf("there is no template %q", name), "use one of "+strings.Join(names, ", "))
	}
	text, err := files.ReadFile("templates/" + name + ".yaml")
	if err != nil {
		return Template{}, err
	}
	var document struct {
		Description string               `yaml:"Description"`
		Parameters  yaml.Node            `yaml:"Parameters"`
		Outputs     map[string]yaml.Node `yaml:"Outputs"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return Template{}, fmt.Errorf("template %s: %w", name, err)
	}
	out := Template{Name: name, Description: document.Description, Text: string(text)}
	for output := range document.Outputs {
		out.Outputs = append(out.Outputs, output)
	}
	slices.Sort(out.Outputs)
	// A mapping has a node for each key, followed by one for its value.
	for i := 0; i+1 < len(document.Parameters.Content); i += 2 {
		p := Parameter{Name: document.Parameters.Content[i].Value}
		if err := document.Parameters.Content[i+1].Decode(&p); err != nil {
			return Template{}, fmt.Errorf("template %s: parameter %s: %w", name, p.Name, err)
		}
		out.Parameters = append(out.Parameters, p)
	}
	return out, nil
}

// WithOutput returns the names of the templates that have an output.
func WithOutput(output string) ([]string, error) {
	all, err := Templates()
	var out []string
	for _, t := range all {
		if slices.Contains(t.Outputs, output) {
			out = append(out, t.Name)
		}
	}
	return out, err
}
