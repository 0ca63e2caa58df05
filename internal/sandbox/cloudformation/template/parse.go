// Package template reads and evaluates CloudFormation templates: parameters, rules,
// conditions, intrinsic functions, resources and outputs.
package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/internal/sandbox/cloudformation/resource"
)

// Template is a template whose sections and functions are known. Values are strings,
// []any, map[string]any and calls.
type Template struct {
	parameters                 map[string]parameter
	rules, conditions, outputs map[string]any
	resources                  map[string]declared
}

// declared is an entry of the section Resources.
type declared struct {
	kind, condition string
	properties      any
}

// call is a use of an intrinsic function.
type call struct {
	function string
	argument any
}

// refusal is an error with CloudFormation's text.
type refusal string

func (r refusal) Error() string { return string(r) }

func errorf(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// Parse reads a template in YAML or JSON. The error has CloudFormation's text, or names
// the section, the type or the function that is not known.
func Parse(text string) (*Template, error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		return nil, errorf("Template format error: YAML not well-formed. (%v)", err)
	}
	if len(node.Content) == 0 {
		return nil, errorf("Template format error: At least one Resources member must be defined.")
	}
	value, err := tree(node.Content[0])
	if err != nil {
		return nil, err
	}
	document, ok := value.(map[string]any)
	if !ok {
		return nil, errorf("Template format error: unsupported structure.")
	}
	return sections(document)
}

// sections returns the template of a document.
func sections(document map[string]any) (*Template, error) {
	known := []string{"AWSTemplateFormatVersion", "Conditions", "Description", "Metadata", "Outputs", "Parameters", "Resources", "Rules"}
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if !slices.Contains(known, name) {
			return nil, errorf("Invalid template property or properties [%s]", name)
		}
	}
	t := &Template{
		rules: object(document["Rules"]), conditions: object(document["Conditions"]), outputs: object(document["Outputs"]),
		parameters: map[string]parameter{}, resources: map[string]declared{},
	}
	for name, value := range object(document["Parameters"]) {
		p, err := newParameter(name, object(value))
		if err != nil {
			return nil, err
		}
		t.parameters[name] = p
	}
	for name, value := range object(document["Resources"]) {
		entry := object(value)
		r := declared{kind: text(entry["Type"]), condition: text(entry["Condition"]), properties: entry["Properties"]}
		if !resource.Known(r.kind) {
			return nil, resource.ErrType(r.kind)
		}
		t.resources[name] = r
	}
	if len(t.resources) == 0 {
		return nil, errorf("Template format error: At least one Resources member must be defined.")
	}
	return t, nil
}

// object returns a mapping, an empty one for anything else.
func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// text returns a string, an empty one for anything else.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// NeedsIAM reports whether a stack of the template needs the capability CAPABILITY_IAM.
func (t *Template) NeedsIAM() bool {
	for _, r := range t.resources {
		if strings.HasPrefix(r.kind, "AWS::IAM::") {
			return true
		}
	}
	return false
}

// tree returns the value of a node.
func tree(n *yaml.Node) (any, error) {
	if n.Kind == yaml.AliasNode {
		return nil, errorf("Template error: YAML aliases are not allowed in CloudFormation templates")
	}
	if name, ok := strings.CutPrefix(n.Tag, "!"); ok && !strings.HasPrefix(name, "!") {
		return shortCall(name, n)
	}
	switch n.Kind {
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := tree(c)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		return mapping(n)
	}
	return n.Value, nil
}

// mapping returns the value of a mapping: a call if its key is a function's name.
func mapping(n *yaml.Node) (any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		v, err := tree(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		key := n.Content[i].Value
		if len(n.Content) == 2 && (key == "Ref" || strings.HasPrefix(key, "Fn::")) {
			return newCall(key, v)
		}
		out[key] = v
	}
	return out, nil
}

// shortCall returns the call that a tag such as !Sub makes of a node.
func shortCall(name string, n *yaml.Node) (any, error) {
	plain := *n
	plain.Tag = ""
	argument, err := tree(&plain)
	if err != nil {
		return nil, err
	}
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	return newCall(name, argument)
}

func newCall(function string, argument any) (any, error) {
	if (&evaluation{}).function(function) == nil {
		return nil, errorf("Template error: the function %s is not known", function)
	}
	if s, ok := argument.(string); ok && function == "Fn::GetAtt" {
		id, attribute, _ := strings.Cut(s, ".")
		argument = []any{id, attribute}
	}
	return call{function, argument}, nil
}
