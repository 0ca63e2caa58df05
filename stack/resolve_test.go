package stack_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// resolver gives the functions of a template their values.
type resolver struct {
	t *testing.T
	// values are those of parameters and pseudo parameters; imports those of exports, by
	// their names without the stack's.
	values, imports map[string]string
	// conditions are those that hold.
	conditions map[string]bool
}

// document returns a template, or a part of it, as plain values.
func document(t *testing.T, name string, path ...string) *yaml.Node {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(find(t, name).Text), &root); err != nil {
		t.Fatal(err)
	}
	n := root.Content[0]
	for _, key := range path {
		if n = child(n, key); n == nil {
			t.Fatalf("%s has no %s", name, strings.Join(path, "."))
		}
	}
	return n
}

// child returns the value of a key of a mapping, nil if there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

var placeholder = regexp.MustCompile(`\$\{([^}]+)\}`)

// resolve returns the value of a node. A function that it does not know stays as it is
// written.
func (r resolver) resolve(n *yaml.Node) any {
	switch {
	case n.Tag == "!Ref":
		return r.value(n.Value, nil)
	case n.Tag == "!Sub" && n.Kind == yaml.ScalarNode:
		return r.sub(n.Value, nil)
	case n.Tag == "!Sub":
		own := map[string]string{}
		for key, v := range r.resolve(n.Content[1]).(map[string]any) {
			own[key] = fmt.Sprint(v)
		}
		return r.sub(n.Content[0].Value, own)
	case n.Tag == "!If":
		if r.conditions[n.Content[0].Value] {
			return r.resolve(n.Content[1])
		}
		return r.resolve(n.Content[2])
	case n.Kind == yaml.SequenceNode:
		out := []any{}
		for _, c := range n.Content {
			out = append(out, r.resolve(c))
		}
		return out
	case n.Kind == yaml.MappingNode:
		if imported := child(n, "Fn::ImportValue"); imported != nil {
			_, name, _ := strings.Cut(imported.Value, "}-")
			return r.imports[name]
		}
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = r.resolve(n.Content[i+1])
		}
		return out
	}
	return n.Value
}

func (r resolver) value(name string, own map[string]string) string {
	for _, values := range []map[string]string{own, r.values} {
		if v, ok := values[name]; ok {
			return v
		}
	}
	return "${" + name + "}"
}

func (r resolver) sub(text string, own map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string { return r.value(m[2:len(m)-1], own) })
}

// nodes calls visit with each node below one, and its key if it is a value.
func nodes(n *yaml.Node, key string, visit func(key string, n *yaml.Node)) {
	visit(key, n)
	for i, c := range n.Content {
		key := ""
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			key = n.Content[i-1].Value
		}
		nodes(c, key, visit)
	}
}
